"""The locks say what pyproject.toml says, with a hash for every file; found out offline, in `make check`."""

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.repository import ROOT, project

REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))
AGAIN = "run `make lock`"

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^]]*\])?==(?P<version>[^ ;\\]+)")
# uv writes behind each pin who asked for it: one of our own files, or another package.
_DECLARED = re.compile(r"^ +# +(?:via )?(?:rapport-crm \(pyproject\.toml|-r requirements/)", re.MULTILINE)


def entries(lock: Path) -> dict[str, tuple[str, str]]:
    """Split a lock into name -> (version, its whole text)."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text("utf-8"), flags=re.MULTILINE)
    pins = [(match, block) for block in blocks if (match := _PIN.match(block))]
    return {canonicalize_name(match["name"]): (match["version"], block) for match, block in pins}


def asked_for(lock: str) -> list[Requirement]:
    """Collect what the declarations behind a lock ask for."""
    declared = project()
    extras = declared["project"]["optional-dependencies"]
    groups = {
        "runtime.txt": [*declared["project"]["dependencies"], *extras["local"]],
        "dev.txt": [
            *declared["project"]["dependencies"],
            *(line for extra in extras.values() for line in extra),
            *declared["dependency-groups"]["dev"],
        ],
    }
    if lock in groups:
        return [Requirement(line) for line in groups[lock]]
    written = (REQUIREMENTS / lock).with_suffix(".in").read_text("utf-8")
    return [Requirement(line) for line in written.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_everything_declared_is_locked_at_a_version_that_was_asked_for(lock: Path) -> None:
    pins = entries(lock)
    for wanted in asked_for(lock.name):
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{lock.name} lacks {wanted}: {AGAIN}"
        assert wanted.specifier.contains(pins[name][0], prereleases=True), f"{lock.name}: {wanted}: {AGAIN}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_nothing_is_locked_that_is_no_longer_declared(lock: Path) -> None:
    wanted = {canonicalize_name(requirement.name) for requirement in asked_for(lock.name)}
    for name, (_, text) in entries(lock).items():
        assert name in wanted or not _DECLARED.search(text), f"{lock.name} still has {name}: {AGAIN}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_file_has_its_hash_and_no_address(lock: Path) -> None:
    pins = entries(lock)
    assert pins, f"{lock.name} is empty"
    for name, (_, text) in pins.items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", text), f"{lock.name}: {name} has no hash: {AGAIN}"
    assert "://" not in lock.read_text("utf-8"), f"{lock.name} names an address: {AGAIN}"


def test_what_runs_in_production_is_what_was_tested() -> None:
    tested = entries(REQUIREMENTS / "dev.txt")
    for name, (version, _) in entries(REQUIREMENTS / "runtime.txt").items():
        assert tested[name][0] == version, f"{name} differs between runtime.txt and dev.txt: {AGAIN}"


def test_the_lock_of_npm_has_what_was_asked_for_with_a_hash_for_each_file_and_no_address() -> None:
    declared = json.loads((REQUIREMENTS / "sdks-node" / "package.json").read_text("utf-8"))
    root, *packages = json.loads((REQUIREMENTS / "sdks-node" / "package-lock.json").read_text("utf-8"))[
        "packages"
    ].items()
    assert root[1]["dependencies"] == declared["dependencies"]
    locked = {name.removeprefix("node_modules/"): package for name, package in packages}
    assert {name: locked[name]["version"] for name in declared["dependencies"]} == declared["dependencies"]
    assert [name for name, package in locked.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in locked.items() if "resolved" in package] == []
