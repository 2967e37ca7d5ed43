"""What came to the raw topic from one source, read as ingest reads it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Reading, Refused, read
from services.ingest.ports import Snapshot
from shared.contracts.envelope import header
from shared.contracts.interactions import Interaction
from shared.contracts.topics import RAW_EVENTS
from shared.runtime.intake import Place
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings
from tests.integration.services.ingest.wire.running import SECRET
from tests.topic_reading import ends_of, records_of

PLACES: Sequence[Place] = [(RAW_EVENTS.name, lane) for lane in range(4)]


@dataclass
class Topic:
    """The raw topic from a moment on, as far as one source is concerned.

    The topic is the whole stack's: other tests write there too, under other names.
    """

    settings: RuntimeSettings
    source: str
    known: Snapshot
    begin: Mapping[Place, int] = field(default_factory=dict)

    def mark(self) -> None:
        """Leave out what is on the topic already."""
        self.begin = asyncio.run(ends_of(self.settings, PLACES))

    def records(self) -> list[Record]:
        """Return what the source has written since the mark."""
        found = asyncio.run(records_of(self.settings, PLACES, self.begin))
        return [record for record in found if header(record.headers, "source") == self.source]

    def readings(self) -> list[Reading]:
        """Return the source's events since the mark, accepted and refused."""
        reader = Reader(Identities(SECRET.encode()), self.known.source)
        return [reading for record in self.records() for reading in read(record, reader)]

    def by_id(self) -> dict[str, list[Reading]]:
        """Return the source's events since the mark by message id, each with its repetitions."""
        found: dict[str, list[Reading]] = {}
        for reading in self.readings():
            found.setdefault(reading.message_id or "", []).append(reading)
        return found


def accepted(readings: Sequence[Reading]) -> list[Interaction]:
    """Return what was accepted."""
    return [reading for reading in readings if isinstance(reading, Interaction)]


def refused(readings: Sequence[Reading]) -> list[Refused]:
    """Return what was refused."""
    return [reading for reading in readings if isinstance(reading, Refused)]
