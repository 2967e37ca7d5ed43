"""How fast a source may send: a token bucket for each, asked before a body is read and charged once it is counted."""

from dataclasses import dataclass

from services.ingest.domain.posts import MOST_EVENTS
from services.ingest.domain.sources import Source

MOST_SOURCES = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """The buckets of all sources in one process; a token is an event.

    A batch is never cut: the bucket may go below nothing, and the next request waits until it is above again. So a
    batch larger than the burst passes too, and the rate holds over time.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, source: Source, now: float) -> float:
        """Tell after how many seconds a source may send, zero for now; `now` is in seconds of any steady clock."""
        if source.rate is None:
            return 0.0
        tokens = self._filled(source, source.rate, now).tokens
        return 0.0 if tokens > 0 else max((1 - tokens) / source.rate, 1e-9)

    def charge(self, source: Source, events: int, now: float) -> None:
        """Count what was sent; more events than a request may have are refused as one, and cost no more than those."""
        if source.rate is not None:
            self._filled(source, source.rate, now).tokens -= min(events, MOST_EVENTS)

    def _filled(self, source: Source, rate: int, now: float) -> _Bucket:
        burst = float(source.burst or rate)
        bucket = self._buckets.get(source.name)
        if bucket is None:
            if len(self._buckets) >= MOST_SOURCES:
                self._buckets.clear()
            bucket = self._buckets[source.name] = _Bucket(burst, now)
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
        bucket.at = now
        return bucket
