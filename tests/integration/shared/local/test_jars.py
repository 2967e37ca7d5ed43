"""Kafka's jars in the user's cache; the registry is the real one, with the lock's smallest jars."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.local.errors import DiskFullError, RegistryUnreachableError, WrongChecksumError
from shared.local.jars import resolve
from shared.local.lock import LockedArtifact, kafka_lock
from shared.local.ports import free_ports

SMALL = {"jspecify", "kafka-tools-api"}


@pytest.fixture
def lock() -> tuple[LockedArtifact, ...]:
    """Give the lock's smallest jars, 4 and 9 kB."""
    return tuple(each for each in kafka_lock() if each.artifact in SMALL)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every request go to a port where nobody listens."""
    (port,) = free_ports(1)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def cached(lock: tuple[LockedArtifact, ...], tmp_path: Path) -> Path:
    """Give a cache that holds the jars."""
    resolve(lock, tmp_path, lambda _: None)
    return tmp_path


def test_progress_is_told_and_the_cache_holds_nothing_but_the_jars(
    lock: tuple[LockedArtifact, ...], tmp_path: Path
) -> None:
    told: list[str] = []
    jars = resolve(lock, tmp_path, told.append)
    assert [each.name for each in jars] == [each.filename for each in lock]
    assert sorted(each.name for each in jars[0].parent.iterdir()) == sorted(each.filename for each in lock)
    assert not list(tmp_path.glob("download-*"))
    assert told[0].startswith("Downloading Kafka")
    assert told[-1].startswith("  2/2 ")


@pytest.mark.usefixtures("offline")
def test_without_a_registry_and_a_cache_the_error_says_what_to_do(
    lock: tuple[LockedArtifact, ...], tmp_path: Path
) -> None:
    with pytest.raises(RegistryUnreachableError, match=r"2 jars are not yet in .* Check the network"):
        resolve(lock, tmp_path, lambda _: None)
    assert not list(tmp_path.glob("download-*"))


def test_after_the_first_time_no_registry_is_needed(
    lock: tuple[LockedArtifact, ...], cached: Path, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("offline")
    told: list[str] = []
    assert all(each.exists() for each in resolve(lock, cached, told.append))
    assert told == []


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_jar_is_fetched_again(damage: str, lock: tuple[LockedArtifact, ...], cached: Path) -> None:
    victim, other = resolve(lock, cached, lambda _: None)
    content = victim.read_bytes()
    untouched = other.stat()
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(content[:-1] if damage == "cut" else content[:-1] + b"!")
    resolve(lock, cached, lambda _: None)
    assert victim.read_bytes() == content
    assert other.stat() == untouched


def test_a_damaged_jar_is_never_used_when_it_cannot_be_fetched(
    lock: tuple[LockedArtifact, ...], cached: Path, request: pytest.FixtureRequest
) -> None:
    victim = resolve(lock, cached, lambda _: None)[0]
    victim.write_bytes(b"not a jar")
    request.getfixturevalue("offline")
    with pytest.raises(RegistryUnreachableError, match="1 jars"):
        resolve(lock, cached, lambda _: None)


def test_a_download_that_is_not_what_the_lock_says_is_refused(lock: tuple[LockedArtifact, ...], tmp_path: Path) -> None:
    first = lock[0]
    wrong = LockedArtifact(first.group, first.artifact, first.version, "0" * 64)
    with pytest.raises(WrongChecksumError, match=first.sha256):
        resolve((wrong,), tmp_path, lambda _: None)
    assert not list(tmp_path.rglob("*.jar"))


def test_a_jar_that_the_registry_does_not_have_is_told(tmp_path: Path) -> None:
    unknown = LockedArtifact("org.jspecify", "jspecify", "0.0.0-never", "0" * 64)
    with pytest.raises(RegistryUnreachableError, match="it does not have the file"):
        resolve((unknown,), tmp_path, lambda _: None)


def test_a_full_disk_is_told_before_the_download(
    lock: tuple[LockedArtifact, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise DiskFullError(folder, 300 << 20, 1 << 20)

    monkeypatch.setattr("shared.local.jars.require_space", refuse)
    with pytest.raises(DiskFullError):
        resolve(lock, tmp_path, lambda _: None)
    assert not list(tmp_path.rglob("*.jar"))


def test_processes_at_once_download_once(lock: tuple[LockedArtifact, ...], tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from shared.local.jars import resolve; from shared.local.lock import parse_lock\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "resolve(parse_lock(sys.argv[1]), Path(sys.argv[2]), lambda text: print(text, flush=True))"
    )
    text = "\n".join(each.line for each in lock)
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, text, str(tmp_path)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(3)
        ]
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        told = [each.communicate()[0] for each in processes]
    assert [each.returncode for each in processes] == [0, 0, 0]
    assert "".join(told).count("Downloading Kafka") == 1
