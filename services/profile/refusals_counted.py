"""Counts the pairs that are not linked once that is certain: what does not commit must not show in a counter."""

from collections import Counter
from collections.abc import Callable

from services.profile.domain.refusals import Refusals

METRIC = "crm_links_refused_total"

Count = Callable[[str, str, int], None]
"""Takes reason, kind and how many."""


class RefusalsCounted:
    """Holds a batch's refusals back until the next one begins."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._noted: Counter[tuple[str, str]] = Counter()

    def note(self, left: Refusals) -> None:
        """Take note of what was written in a transaction that is not committed yet."""
        self._noted.update(left)

    def settled(self) -> None:
        """Count what was noted: the transaction committed."""
        for (reason, kind), count in self._noted.items():
            self._count(reason, kind, count)
        self._noted.clear()

    def forget(self) -> None:
        """Drop what was noted: the transaction did not commit."""
        self._noted.clear()


def nowhere(_reason: str, _kind: str, _count: int) -> None:
    """Count nothing, where nobody looks."""
