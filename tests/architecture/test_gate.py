"""`.ci/run` says the truth with its exit code, and leaves nothing running, however it ends."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

MAKEFILE = """\
check test demo:
\t@echo "verb $@" >> journal
\t@test "$@" != "$(BREAKS)"
\t@if [ "$@" = "$(HANGS)" ]; then echo ready; exec sleep 600; fi
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Lay out a checkout whose verbs only keep a journal, with something left running."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "Makefile").write_text(MAKEFILE, "utf-8")
    (tmp_path / ".rapport").mkdir()
    rapport = tmp_path / ".venv" / "bin" / "rapport"
    rapport.parent.mkdir(parents=True)
    rapport.write_text('#!/bin/sh\necho "rapport $1" >> journal\n', "utf-8")
    rapport.chmod(0o755)
    return tmp_path


def gate(clone: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the gate as CI does."""
    return subprocess.Popen(
        ["bash", ".ci/run"],
        cwd=clone,
        env={**os.environ, "CI": "true", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def journal(clone: Path) -> list[str]:
    """Read what was run, in order."""
    return (clone / "journal").read_text("utf-8").splitlines()


def test_the_gate_passes_when_check_test_and_demo_do(clone: Path) -> None:
    with gate(clone) as run:
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert journal(clone) == ["verb check", "verb test", "verb demo", "rapport down"]
    assert "ci: passed after " in said.splitlines()[-1]


@pytest.mark.parametrize(("verb", "ran"), [("check", 1), ("test", 2), ("demo", 3)])
def test_the_gate_fails_at_the_first_verb_that_does_and_stops_what_runs(clone: Path, verb: str, ran: int) -> None:
    with gate(clone, BREAKS=verb) as run:
        said, _ = run.communicate(timeout=60)
    assert run.returncode != 0, said
    assert journal(clone) == [*["verb check", "verb test", "verb demo"][:ran], "rapport down"]
    assert "ci: failed" in said.splitlines()[-1]


def test_a_gate_that_is_told_to_end_stops_what_runs(clone: Path) -> None:
    with gate(clone, HANGS="test") as run:
        assert run.stdout is not None
        assert any(line == "ready\n" for line in run.stdout)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=30)
    assert run.returncode == 128 + signal.SIGTERM
    assert journal(clone)[-1] == "rapport down"
