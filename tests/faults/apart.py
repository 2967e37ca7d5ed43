"""Two collections that should be one: what is missing, what is too many."""

from collections import Counter
from typing import Any


def apart(what: str, wanted: "Counter[Any]", found: "Counter[Any]") -> list[str]:
    """Name what was lost and what was invented or doubled, with examples."""
    told = []
    for how, left in (("lost", wanted - found), ("invented or doubled", found - wanted)):
        if left:
            told.append(f"{what}: {left.total()} {how}, for example {sorted(left)[:3]}")
    return told
