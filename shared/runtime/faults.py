"""A fault says where a file that somebody wrote is wrong, what was expected there and what was found."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

LONGEST_SHOWN = 40
KEYS_SHOWN = 3


class Fault(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong in one file; `path` leads there from the definition's root."""

    file: str
    line: int
    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Write the fault as compilers do, so that editors can jump there."""
        return f"{self.file}:{self.line}: {self.path}: expected {self.expected}, got {self.found}"


def described(value: Any) -> str:
    """Tell in words what was found: scalars as they stand, shortened; of lists and mappings only the kind."""
    match value:
        case None:
            words = "nothing"
        case bool():
            words = "true" if value else "false"
        case int() | Decimal():
            words = shortened(str(value))
        case str():
            words = repr(shortened(value)) if value else "an empty text"
        case list() | tuple():
            words = "a list" if value else "an empty list"
        case dict():
            keys = ", ".join(repr(shortened(str(key))) for key in list(value)[:KEYS_SHOWN])
            more = ", …" if len(value) > KEYS_SHOWN else ""
            words = f"a mapping with {keys}{more}" if value else "an empty mapping"
        case _:
            words = f"a {type(value).__name__}"
    return words


def shortened(text: str) -> str:
    """Cut a text to what fits in a line."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as people read it: `rule.all[1].within`; the root is `definition`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{shortened(step)}" if text else shortened(step)
    return text if text.isprintable() and text else (repr(text)[1:-1] or "definition")
