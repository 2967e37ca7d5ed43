"""The fuse of a source as a table: what each lane had in the last minute, in the transaction of the batch itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from services.ingest.domain.tallies import OTHER, Tallies
from shared.runtime.arrays import int4s, int8s, texts

PERIOD_SECONDS = 10
PERIODS = 6
"""Stretches that make the last minute; each has a place of its own in a ring."""

# A lane that changed hands may go on with a clock a little behind: what comes late for its place is not counted.
_ADD = """
    INSERT INTO source_counts AS c (source, lane, place, period, events, refused)
    SELECT u.source, u.lane, %(place)s, %(period)s, u.events, u.refused
    FROM unnest(%(sources)s, %(lanes)s, %(events)s, %(refused)s) AS u (source, lane, events, refused)
    ON CONFLICT ON CONSTRAINT source_counts_pkey DO UPDATE SET
        period = excluded.period,
        events = excluded.events + CASE WHEN c.period = excluded.period THEN c.events ELSE 0 END,
        refused = excluded.refused + CASE WHEN c.period = excluded.period THEN c.refused ELSE 0 END
    WHERE c.period <= excluded.period
"""
_BLOW = """
    UPDATE sources SET paused_at = %(at)s, paused_reason = 'fuse'
    WHERE paused_at IS NULL AND name IN (
        SELECT source FROM source_counts
        WHERE source = ANY(%(sources)s) AND period > %(before)s
        GROUP BY source
        HAVING sum(events) >= %(min_events)s AND sum(refused) > %(ratio)s * sum(events)
    )
    RETURNING name
"""
_LAST_MINUTE = """
    SELECT source, sum(events)::bigint, sum(refused)::bigint FROM source_counts WHERE period > %s GROUP BY source
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """More than `ratio` refused of at least `min_events` within the last minute blows the fuse."""

    ratio: float
    min_events: int


class PostgresSourceFuse:
    """Counts in `ingest.source_counts` and pauses in `ingest.sources`, so that all workers agree."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def count(self, connection: AsyncConnection, tallies: Tallies, at: datetime) -> Sequence[str]:
        """Add what a batch had; returns the sources that are paused by this transaction."""
        period = period_of(at)
        # In order, though no two workers write the same rows: a lane that changes hands has two owners for a moment.
        places = sorted(tallies)
        values = {
            "place": period % PERIODS,
            "period": period,
            "sources": texts([source for source, _ in places]),
            "lanes": int4s([lane for _, lane in places]),
            "events": int8s([tallies[place].events for place in places]),
            "refused": int8s([tallies[place].refused for place in places]),
        }
        await connection.execute(_ADD, values)
        suspects = {source for source, lane in places if tallies[source, lane].refused and source != OTHER}
        if not suspects:
            return ()
        limits = self._limits
        values = {
            "at": at,
            "sources": sorted(suspects),
            "before": period - PERIODS,
            "min_events": limits.min_events,
            "ratio": limits.ratio,
        }
        cursor = await connection.execute(_BLOW, values)
        return [name for (name,) in await cursor.fetchall()]


async def last_minute(connection: AsyncConnection, at: datetime) -> Mapping[str, tuple[int, int]]:
    """Return by source the events of the last minute and how many of them were refused."""
    cursor = await connection.execute(_LAST_MINUTE, (period_of(at) - PERIODS,))
    return {source: (events, refused) for source, events, refused in await cursor.fetchall()}


def period_of(at: datetime) -> int:
    """Number the stretch of ten seconds that an instant falls into."""
    return int(at.timestamp()) // PERIOD_SECONDS
