"""Committed, numbered, not yet acknowledged: how a transaction takes its place in an output's order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from psycopg import AsyncConnection

from shared.runtime.arrays import byteas
from shared.runtime.handler import Message, Publication


class Committed(msgspec.Struct, frozen=True):
    """A run of messages that took the sequences from `first_sequence` on, in one output of one lane."""

    topic: str
    lane: int
    first_sequence: int
    messages: Sequence[Message]


_TAKE = """
    INSERT INTO streams AS s (topic, lane, next_sequence) VALUES (%s, %s, %s)
    ON CONFLICT (topic, lane) DO UPDATE SET next_sequence = s.next_sequence + excluded.next_sequence
    RETURNING next_sequence
"""
_HOLD = "SELECT FROM streams WHERE topic = %s AND lane = %s FOR UPDATE"
_KEEP = "INSERT INTO publications (topic, lane, first_sequence, keys) VALUES (%s, %s, %s, %s)"


async def hold(connection: AsyncConnection, topic: str, lane: int) -> None:
    """Wait for every transaction that has a number of this output, and let none take the next before we end.

    What is read after this is at least as new as whatever goes out before us.
    """
    await connection.execute(_HOLD, (topic, lane))


async def append(connection: AsyncConnection, publications: Iterable[Publication]) -> list[Committed]:
    """Number publications and keep their keys, as the last statements before COMMIT.

    The row lock that taking a number leaves on `streams` lasts until COMMIT, so numbers are gap-free and rise in the
    order of COMMIT; rows are locked in sorted order, so that two transactions never wait for each other.
    """
    grouped: dict[tuple[str, int], list[Publication]] = defaultdict(list)
    for publication in publications:
        grouped[publication.topic, publication.lane].append(publication)
    committed = []
    for (topic, lane), run in sorted(grouped.items()):
        cursor = await connection.execute(_TAKE, (topic, lane, len(run)))
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - an upsert with RETURNING gives one row
        first = row[0] - len(run)
        await connection.execute(_KEEP, (topic, lane, first, byteas([publication.key for publication in run])))
        committed.append(Committed(topic, lane, first, [publication.message for publication in run]))
    return committed
