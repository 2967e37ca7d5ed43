"""Dead letters: what could not be applied, kept with its reason and original bytes in the batch's own transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString
from zlib import crc32

import msgspec
from psycopg import AsyncConnection

from shared.runtime.handler import Conflict, Dead
from shared.runtime.records import DueInstant, PlainRecord, Poison, Record

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


def of_instant(instant: DueInstant, error: str) -> DeadLetter:
    """Make the dead letter of a due instant: no topic has it, so its own time is its place and its key its value."""
    milliseconds = int(instant.at.timestamp() * 1000)
    record = PlainRecord(
        topic="due", partition=instant.lane, offset=milliseconds, timestamp=milliseconds, value=instant.key.encode()
    )
    # Two customers may be due in the same instant.
    return DeadLetter(record, crc32(instant.key.encode()) & 0x7FFFFFFF, Dead(Poison("handler_failed", found=error)))


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
