"""The page that adds a service is true: its files, put into a copy of the repository, count real activities."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT
from tests.e2e.rapport import Rapport, until

pytestmark = pytest.mark.timeout(400)

PAGE = ROOT / "docs" / "how-to" / "add-a-service.md"
FILE = re.compile(r"^```python\n# (?P<path>[\w/]+\.py)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
EDIT = re.compile(r"^\| `(?P<path>[^`]+)` \| `(?P<old>[^`]+)` \| `(?P<new>[^`]+)` \|$", re.MULTILINE)
BINARIES = Path(sys.executable).parent
TALLIES = "SELECT name, times FROM greeter.tallies ORDER BY name"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do what the page says in a copy of the repository."""
    folder = tmp_path_factory.mktemp("copy")
    text = PAGE.read_text("utf-8")
    for name in ("services", "shared"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests" / "architecture").mkdir(parents=True)
    for name in ("pyproject.toml", "tests/architecture/repository.py"):
        shutil.copy(ROOT / name, folder / name)
    for match in FILE.finditer(text):
        path = folder / match["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(match["text"], "utf-8")
    for match in EDIT.finditer(text):
        path = folder / match["path"]
        before = path.read_text("utf-8")
        assert before.count(match["old"]) == 1, (
            f"{match['path']}: {match['old']} is there {before.count(match['old'])} times"
        )
        path.write_text(before.replace(match["old"], match["new"]), "utf-8")
    return folder


def environment(folder: Path, rapport: Rapport) -> dict[str, str]:
    return rapport.environment | {"PYTHONPATH": str(folder)}


def checked(command: Sequence[str | Path], folder: Path, variables: dict[str, str] | None = None) -> str:
    run = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_every_python_block_names_its_file_and_every_service_part_is_there() -> None:
    text = PAGE.read_text("utf-8")
    assert len(FILE.findall(text)) == text.count("```python\n") == 11
    assert len(EDIT.findall(text)) == 4


@pytest.mark.parametrize(
    "check",
    [("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--no-incremental")],
    ids=" ".join,
)
def test_the_files_pass_the_checks_of_the_repository(copy: Path, check: tuple[str, ...]) -> None:
    tool, *arguments = check
    variables = {**os.environ, "PYTHONPATH": str(copy)}
    assert checked([BINARIES / tool, *arguments, "services/greeter", "tests/unit"], copy, variables)


def test_the_files_keep_the_import_contracts(copy: Path) -> None:
    printed = checked([BINARIES / "lint-imports", "--no-cache"], copy, {**os.environ, "PYTHONPATH": str(copy)})
    assert " 0 broken" in printed


def test_the_pages_own_test_passes(copy: Path) -> None:
    variables = {**os.environ, "PYTHONPATH": str(copy)}
    printed = checked([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"], copy, variables)
    assert "1 passed" in printed


async def test_the_service_counts_real_activities_also_after_a_stop(copy: Path, rapport: Rapport) -> None:
    variables = environment(copy, rapport)
    migrated = checked([BINARIES / "rapport", "migrate"], copy, variables)
    assert "greeter" in migrated
    with greeter(copy, variables) as process:
        async with rapport.sending() as send:
            for number in (1, 2, 3):
                await send("any", viewed(number))
            await until("three views", lambda: rapport.rows(TALLIES) == [("Product Viewed", 3)])
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 60) == 0
            await send("any", viewed(4))
    with greeter(copy, variables) as process:
        await until("the view while it was away", lambda: rapport.rows(TALLIES) == [("Product Viewed", 4)])
        process.kill()
        process.wait(60)
    read = rapport.rows("SELECT sum(events_read), sum(applied) FROM greeter.positions")
    assert read == [(4, 4)]


@contextmanager
def greeter(folder: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service of the page; its logs are in the copy."""
    with (folder / "greeter.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.greeter"], cwd=folder, env=variables, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(60)


def viewed(number: int) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"view-{number}",
        "userId": "u-greeted",
        "timestamp": datetime(2026, 11, 1, 12, number, tzinfo=UTC).isoformat(),
        "properties": {"product_id": f"p-{number}"},
    }
