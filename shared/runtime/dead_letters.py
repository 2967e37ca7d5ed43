"""Dead letters: what could not be applied, kept with its reason and original bytes in the batch's own transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

import msgspec
from psycopg import AsyncConnection

from shared.runtime.handler import Conflict, Dead
from shared.runtime.records import Poison, Record

OPEN_DEAD_LETTERS: LiteralString = "SELECT reason, count(*) FROM dead_letters GROUP BY reason"
_KEEP = """
    INSERT INTO dead_letters (input_group, topic, lane, record_offset, event_index, kind, reason, path, expected, found,
        key, value, headers, record_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT dead_letters_once DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that could not be applied, and the record it stood in."""

    record: Record
    index: int
    outcome: Dead | Conflict


async def keep(connection: AsyncConnection, group: str, letters: Sequence[DeadLetter]) -> None:
    """Write dead letters; one that is there already (the batch was redone) stays as it is."""
    if not letters:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(_KEEP, [_row(group, letter) for letter in letters])


def _row(group: str, letter: DeadLetter) -> tuple[object, ...]:
    record, outcome = letter.record, letter.outcome
    if isinstance(outcome, Dead):
        kind, poison = "dead", outcome.poison
    else:
        kind, poison = "conflict", Poison("id_taken_by_another_event", found=outcome.detail)
    return (
        group,
        record.topic,
        record.partition,
        record.offset,
        letter.index,
        kind,
        poison.reason,
        poison.path,
        poison.expected,
        poison.found,
        record.key,
        record.value,
        msgspec.msgpack.encode([(name, value) for name, value in record.headers]),
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
    )
