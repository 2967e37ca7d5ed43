"""Instants to be woken at: the clock's input, kept and fired in the same transactions as everything else."""

from collections.abc import Iterable, Mapping, Sequence
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
_TAKE = """
    WITH fallen AS (
        SELECT d.lane, d.key FROM due d JOIN unnest(%s, %s) AS n (lane, until) ON d.lane = n.lane AND d.at <= n.until
        ORDER BY d.at, d.lane, d.key LIMIT %s FOR UPDATE OF d
    )
    DELETE FROM due d USING fallen f WHERE d.lane = f.lane AND d.key = f.key RETURNING d.lane, d.key, d.at
"""
_NEXT = """
    SELECT n.lane, (SELECT min(d.at) FROM due d WHERE d.lane = n.lane) FROM unnest(%s) AS n (lane)
"""


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


async def take(connection: AsyncConnection, until: Mapping[int, datetime], limit: int) -> list[DueInstant]:
    """Take the oldest instants of these lanes that are not after each lane's time; they are gone if we commit."""
    lanes = sorted(until)
    cursor = await connection.execute(_TAKE, (int4s(lanes), timestamps([until[lane] for lane in lanes]), limit))
    taken = [DueInstant(lane, key, at) for lane, key, at in await cursor.fetchall()]
    return sorted(taken, key=lambda instant: (instant.at, instant.lane, instant.key))


async def following(connection: AsyncConnection, lanes: Sequence[int]) -> dict[int, datetime]:
    """Return each lane's next instant."""
    cursor = await connection.execute(_NEXT, (int4s(lanes),))
    return {lane: at for lane, at in await cursor.fetchall() if at is not None}
