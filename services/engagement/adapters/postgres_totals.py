"""How many messages stand where, counted in the database, for gauges and counters that reconcile with the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.runtime.arrays import int4s

_MESSAGES = """
    SELECT lane, channel, state, CASE WHEN state = 'skipped' THEN rule ELSE '' END AS rule, count(*), min(changed_at)
    FROM messages WHERE lane = ANY(%s) GROUP BY 1, 2, 3, 4
"""
_PARKED = "SELECT count(*), min(parked_at) FROM triggers WHERE lane = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Standing:
    """How many messages stand in one place, and since when the one that stands there longest does."""

    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """Messages by (lane, channel, state, rule), and the parked triggers with when the oldest was parked."""

    messages: Mapping[tuple[int, str, str, str], Standing]
    parked: int
    parked_since: datetime | None


async def count(pool: AsyncConnectionPool[AsyncConnection], lanes: Iterable[int]) -> Totals:
    """Count what stands on these lanes."""
    array = int4s(sorted(lanes))
    async with pool.connection() as connection:
        cursor = await connection.execute(_MESSAGES, (array,))
        messages = {
            (lane, channel, state, rule): Standing(n, since)
            for lane, channel, state, rule, n, since in await cursor.fetchall()
        }
        cursor = await connection.execute(_PARKED, (array,))
        row = await cursor.fetchone()
    parked, since = (0, None) if row is None else row
    return Totals(messages, parked, since)
