"""How much may be under way at once: bytes in all, and for each source a share that leaves room for the others."""

from collections import Counter

ANONYMOUS = ""
"""In whose name a request is read until its key is known."""


class Budget:
    """Bytes of requests that are read and not yet answered.

    A source may hold as much as is free: one alone comes to a half of everything, two to a third each, and whoever
    comes last still finds room. (Dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6:2,
    1998.)
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: Counter[str] = Counter()
        self.used = 0

    def lease(self, source: str) -> "Lease":
        """Begin to hold something for a source; nothing at first."""
        return Lease(self, source)

    def fits(self, source: str, size: int) -> bool:
        """Tell whether a source may hold so much more."""
        return self._held[source] + size <= self._limit - self.used

    def take(self, source: str, size: int) -> None:
        """Hold so much more, or less."""
        self.used += size
        self._held[source] += size
        if not self._held[source]:
            del self._held[source]


class Lease:
    """What one request holds; `close` gives it back."""

    __slots__ = ("_budget", "_size", "_source")

    def __init__(self, budget: Budget, source: str) -> None:
        self._budget = budget
        self._source = source
        self._size = 0

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody answers for it yet."""
        return self._source == ANONYMOUS

    def grow(self, size: int) -> bool:
        """Hold so many bytes more, or tell that there is no room."""
        if not self._budget.fits(self._source, size):
            return False
        self._budget.take(self._source, size)
        self._size += size
        return True

    def move(self, source: str) -> bool:
        """Hold it for another source from now on, or tell that that one has no room left."""
        size, self._size = self._size, 0
        self._budget.take(self._source, -size)
        self._source = source
        return self.grow(size)

    def close(self) -> None:
        """Give everything back; once more changes nothing."""
        self._budget.take(self._source, -self._size)
        self._size = 0
