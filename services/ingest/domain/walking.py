"""Every value within a JSON value, with the way to it, at the cost of its size and no more."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from services.ingest.domain.problems import escaped

LONGEST_PATH = 1_000
"""Characters of a path that is told: what names it comes from outside."""

Trail: TypeAlias = tuple["Trail", str] | None
"""How a value was reached: the trail to what holds it, and the last step. Paths written out would fill any memory."""


def walk(value: Any) -> Iterator[tuple[Any, Trail]]:
    """Visit a value and all that it holds."""
    waiting: list[tuple[Any, Trail]] = [(value, None)]
    while waiting:
        item, trail = waiting.pop()
        yield item, trail
        if isinstance(item, dict):
            waiting.extend((inner, (trail, name)) for name, inner in item.items())
        elif isinstance(item, list):
            waiting.extend((inner, (trail, str(index))) for index, inner in enumerate(item))


def told(path: str, trail: Trail) -> str:
    """Write a trail as a JSON pointer that begins at `path`."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append("/" + escaped(step))
    return "".join((path, *reversed(steps)))[:LONGEST_PATH]
