"""Counts pairs not linked, and regions given up, once that is certain: what does not commit must not be counted."""

from collections import Counter
from collections.abc import Callable

from services.profile.domain.refusals import Refusals

METRIC = "crm_links_refused_total"
GIVEN_UP = "crm_regions_given_up_total"

Count = Callable[[str, str, int], None]
"""Takes reason, kind and how many."""

CountGivenUp = Callable[[int], None]
"""Takes how many."""


class RefusalsCounted:
    """Holds a batch's refusals back until the next one begins."""

    def __init__(self, count: Count, count_given_up: CountGivenUp) -> None:
        self._count = count
        self._count_given_up = count_given_up
        self._given_up = 0
        self._noted: Counter[tuple[str, str]] = Counter()

    def note(self, left: Refusals) -> None:
        """Take note of what was written in a transaction that is not committed yet."""
        self._noted.update(left)

    def give_up(self, regions: int) -> None:
        """Take note of regions that the clock gave up in such a transaction."""
        self._given_up += regions

    def settled(self) -> None:
        """Count what was noted: the transaction committed."""
        for (reason, kind), count in self._noted.items():
            self._count(reason, kind, count)
        if self._given_up:
            self._count_given_up(self._given_up)
        self.forget()

    def forget(self) -> None:
        """Drop what was noted: the transaction did not commit."""
        self._noted.clear()
        self._given_up = 0


def nowhere(_reason: str, _kind: str, _count: int) -> None:
    """Count nothing, where nobody looks."""


def none(_count: int) -> None:
    """Count nothing either."""
