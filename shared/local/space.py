"""Where files may go and whether there is room for them."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from shared.local.errors import DiskFullError

NEEDED = 300 * 2**20
"""Bytes: jars 45 MB, an empty PostgreSQL 40 MB and its log of changes, Kafka's files, and some air."""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Locate the user's cache of downloads: CRM_CACHE_DIR, else XDG_CACHE_HOME/rapport, else ~/.cache/rapport."""
    own = environment.get("CRM_CACHE_DIR")
    if own:
        return Path(own).expanduser().absolute()
    shared = environment.get("XDG_CACHE_HOME")
    # The XDG specification: a relative path is to be ignored.
    return (Path(shared) if shared and Path(shared).is_absolute() else Path.home() / ".cache") / "rapport"


def require_space(folder: Path, needed: int = NEEDED) -> None:
    """Raise DiskFullError unless the folder (or, until it exists, its nearest parent) has so many bytes free."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DiskFullError(folder, needed, free)


def environment() -> Mapping[str, str]:
    """Give the process's environment; the one place where the local stack reads it."""
    return os.environ
