"""Where a checkout keeps what it runs: `.rapport/` for `rapport up`, `.rapport/demo/` for the demo."""

from collections.abc import Mapping
from pathlib import Path

from shared.local.platform import Platform

FOLDER = ".rapport"
DEMO = "demo"


def checkout(start: Path) -> Path:
    """Return the nearest folder upwards that holds `.rapport` or a `pyproject.toml`, else `start` itself."""
    for folder in (start, *start.parents):
        if (folder / FOLDER).is_dir() or (folder / "pyproject.toml").is_file():
            return folder
    return start


def own(start: Path, *, environment: Mapping[str, str] | None = None) -> Platform:
    """Return what `rapport up` runs for this checkout."""
    home = checkout(start)
    return Platform(home / FOLDER, home / "config", environment=environment)


def demo(start: Path, *, environment: Mapping[str, str] | None = None) -> Platform:
    """Return what the demo runs for this checkout: data of its own, never those of `rapport up`."""
    home = checkout(start)
    return Platform(home / FOLDER / DEMO, home / "config", environment=environment)


def title(platform: Platform) -> str:
    """Name the checkout of a platform, and say when it is the demo's."""
    above = platform.root.parent
    return f"the demo of {above.parent}" if (above.name, platform.root.name) == (FOLDER, DEMO) else str(above)


def active(start: Path, *, environment: Mapping[str, str] | None = None) -> Platform:
    """Return the platform that commands speak to: a kept demo when that alone runs, else the checkout's own."""
    kept, usual = demo(start, environment=environment), own(start, environment=environment)
    if kept.root.is_dir() and kept.stack.addresses() is not None and usual.stack.addresses() is None:
        return kept
    return usual
