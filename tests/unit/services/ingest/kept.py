"""Refused events as the quarantine would give them back."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.ingest.domain.causes import cause_of
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.replaying import Kept
from services.ingest.domain.times import instant
from shared.contracts.records import Record
from tests.unit.services.ingest.records import READER

TICKET = UUID("0b7f4a5e-8d6c-4f0a-9b1e-2c3d4e5f6a7b")


def kept(record: Record, index: int, refused: Refused, number: int = 12) -> Kept:
    """Keep one refused event of a record."""
    headers: Any = list(record.headers)
    return Kept(
        id=number,
        topic=record.topic,
        lane=record.partition,
        record_offset=record.offset,
        event_index=index,
        appended_at=instant(record.timestamp),
        source=refused.source,
        cause=cause_of(refused.source, refused.problem, refused.event),
        state="open",
        received_at=refused.received_at,
        ticket=TICKET,
        original=refused.original,
        around=refused.around,
        key=record.key,
        headers=headers,
    )


def all_kept(record: Record, reader: Reader = READER) -> Sequence[tuple[Kept, Refused]]:
    """Keep every event of a record that is refused."""
    return [
        (kept(record, index, reading), reading)
        for index, reading in enumerate(read(record, reader))
        if isinstance(reading, Refused)
    ]
