"""How much one JSON value may be: levels, and members of an object; how long a text is bounds the event's size."""

from typing import Any

from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.walking import told, walk

DEEPEST = 32
"""Objects and arrays within each other at most."""

MOST_MEMBERS = 1_000
"""Members of one object at most."""


def beyond(value: Any, text: bytes, path: str) -> Problem | None:
    """Tell which limit a value passes; `text` is the JSON that it was read from, `path` where that stands."""
    # Counting brackets and colons proves most values small without a walk.
    if text.count(b"{") + text.count(b"[") > DEEPEST and depth(value) > DEEPEST:
        return too_deep(path)
    return _too_many(value, path) if text.count(b":") > MOST_MEMBERS else None


def depth(value: Any) -> int:
    """Count the levels of objects and arrays, stopping one past the limit."""
    level, deepest = [value], 0
    while level and deepest <= DEEPEST:
        inner: list[Any] = []
        containers = 0
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
                containers += 1
            elif isinstance(item, list):
                inner.extend(item)
                containers += 1
        deepest += 1 if containers else 0
        level = inner
    return deepest


def too_deep(path: str) -> Problem:
    """Say that there are more levels than are taken."""
    return Problem(Stage.LIMITS, Reason.TOO_DEEP, path, f"at most {DEEPEST} levels", "more levels")


def _too_many(value: Any, path: str) -> Problem | None:
    for item, trail in walk(value):
        if isinstance(item, dict) and len(item) > MOST_MEMBERS:
            expected, found = f"at most {MOST_MEMBERS} members", f"{len(item)} members"
            return Problem(Stage.LIMITS, Reason.TOO_LARGE, told(path, trail), expected, found)
    return None
