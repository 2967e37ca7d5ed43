"""Instants to be woken at: the clock's input, kept and fired in the same transactions as everything else."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from psycopg import AsyncConnection

from shared.runtime.arrays import int4s, texts, timestamps
from shared.runtime.handler import ClearDue, DueChange, SetDue
from shared.runtime.records import DueInstant

_SET = """
    INSERT INTO due AS d (lane, key, at) SELECT * FROM unnest(%s, %s, %s) AS n (lane, key, at)
    ON CONFLICT (lane, key) DO UPDATE SET at = excluded.at WHERE d.at <> excluded.at
"""
_CLEAR = "DELETE FROM due d USING unnest(%s, %s) AS n (lane, key) WHERE d.lane = n.lane AND d.key = n.key"
_FALLEN = "SELECT lane, key, at FROM due WHERE lane = ANY(%s) AND at <= %s ORDER BY at, lane, key LIMIT %s"
_NEXT = "SELECT lane, min(at) FROM due WHERE lane = ANY(%s) GROUP BY lane"


async def change(connection: AsyncConnection, changes: Iterable[DueChange]) -> None:
    """Set and clear instants; of several changes to one key, the last counts."""
    last = {(change.lane, change.key): change for change in changes}
    settings = [change for _, change in sorted(last.items()) if isinstance(change, SetDue)]
    clearings = [change for _, change in sorted(last.items()) if isinstance(change, ClearDue)]
    if settings:
        await connection.execute(
            _SET,
            (
                int4s([change.lane for change in settings]),
                texts([change.key for change in settings]),
                timestamps([change.at for change in settings]),
            ),
        )
    if clearings:
        await connection.execute(
            _CLEAR, (int4s([change.lane for change in clearings]), texts([change.key for change in clearings]))
        )


async def fallen(connection: AsyncConnection, lanes: Sequence[int], now: datetime, limit: int) -> list[DueInstant]:
    """Return the oldest instants of these lanes that are not after `now`."""
    cursor = await connection.execute(_FALLEN, (int4s(lanes), now, limit))
    return [DueInstant(lane, key, at) for lane, key, at in await cursor.fetchall()]


async def following(connection: AsyncConnection, lanes: Sequence[int]) -> dict[int, datetime]:
    """Return each lane's next instant."""
    cursor = await connection.execute(_NEXT, (int4s(lanes),))
    return {lane: at for lane, at in await cursor.fetchall()}
