"""What the runtime does with a batch, without Kafka: decode, load, decide, save, commit."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from services.ingest.adapters.postgres_quarantine import PostgresQuarantine
from services.ingest.adapters.postgres_source_fuse import Limits, PostgresSourceFuse
from services.ingest.domain.reading import Reader
from services.ingest.handlers import IngestHandler
from services.ingest.ports import Rows
from shared.runtime.handler import Decision
from shared.runtime.records import PlainRecord, Received
from tests.unit.services.ingest.records import APPENDED, READER

FUSE = PostgresSourceFuse(Limits(0.5, 1000))


async def feed(
    connection: AsyncConnection,
    records: Sequence[PlainRecord],
    now: datetime = APPENDED,
    *,
    reader: Reader = READER,
    fuse: PostgresSourceFuse = FUSE,
) -> Decision[Rows]:
    handler = IngestHandler(reader, 4, PostgresQuarantine(), fuse)
    events = [
        Received(record, index, event) for record in records for index, event in enumerate(handler.decode(record))
    ]
    handler.keys(events, ())
    await handler.load(connection, None)
    decision = handler.decide(events, (), None, now)
    await handler.save(connection, decision.rows)
    await connection.commit()
    return decision
