"""The repository as its tests see it: the files that are, or are about to be, part of it."""

import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("ingest", "profile", "segmenter", "engagement", "metrics")


@cache
def files(suffix: str = "") -> tuple[Path, ...]:
    """List the files that git tracks or would add, with this suffix, in a stable order."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    paths = (ROOT / name.decode() for name in listed.split(b"\0") if name)
    return tuple(sorted(path for path in paths if path.is_file() and path.name.endswith(suffix)))


def python_files(*folders: str) -> tuple[Path, ...]:
    """List the Python files below these top-level folders, or all of them."""
    return tuple(p for p in files(".py") if not folders or p.relative_to(ROOT).parts[0] in folders)


def shown(path: Path) -> str:
    """Name a file as the reader of a failure knows it."""
    return path.relative_to(ROOT).as_posix()


def project() -> dict[str, Any]:
    """Read pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
