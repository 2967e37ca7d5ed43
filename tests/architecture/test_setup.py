"""`make` says what is missing before it starts, and does nothing twice."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Lay out the Makefile and a Python that is too old."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n', "utf-8")
    old.chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make and keep what it says."""
    return subprocess.run(["make", *arguments], cwd=checkout, capture_output=True, text=True, timeout=60, check=False)


def test_too_old_a_python_is_named_with_the_way_out(checkout: Path) -> None:
    run = make(checkout, "PYTHON=./python3.9", "setup")
    assert run.returncode != 0
    assert "Rapport needs Python 3.11 or later; ./python3.9 says: Python 3.9.2." in run.stderr
    assert "make PYTHON=python3.12 setup" in run.stderr
    assert not (checkout / ".venv").exists()


def test_cleaning_an_untouched_checkout_is_no_error(checkout: Path) -> None:
    for folder in ("services", "shared", "tests"):
        (checkout / folder / "__pycache__").mkdir(parents=True)
    run = make(checkout, "clean")
    assert run.returncode == 0, run.stderr
    assert not list(checkout.rglob("__pycache__"))


@pytest.mark.parametrize("changed", ["requirements/dev.txt", "requirements/demo-data.txt", "pyproject.toml"])
def test_setup_is_done_again_only_when_what_it_installs_changed(checkout: Path, changed: str) -> None:
    (checkout / "pyproject.toml").touch()
    for path in (".venv/bin/python", ".venv/bin/uv", ".venv/.locks", ".venv/.project"):
        made = checkout / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.touch()
    assert make(checkout, "--question", "setup").returncode == 0
    later = made.stat().st_mtime + 10
    os.utime(checkout / changed, (later, later))
    assert make(checkout, "--question", "setup").returncode == 1
