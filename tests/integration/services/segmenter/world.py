"""A segmenter between its inputs and its tables, driven as the runtime drives it, with a clock of the test's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import AsyncConnection

from services.segmenter.adapters.postgres_customers import PostgresCustomers
from services.segmenter.adapters.postgres_definitions import connect, register
from services.segmenter.adapters.postgres_outlet import PostgresOutlet
from services.segmenter.changes_counted import ChangesCounted
from services.segmenter.domain.definitions import Definition, read
from services.segmenter.handlers import Rows, SegmenterHandler
from services.segmenter.reading import Said
from shared.contracts.codec import decode
from shared.contracts.segments import SegmentChange
from shared.contracts.topics import SEGMENT_CHANGES
from shared.runtime import due, streams
from shared.runtime.handler import Decision, Outcome, Publication
from shared.runtime.metrics import Metrics
from shared.runtime.records import DueInstant, Poison, Received, Record

START = datetime(2025, 11, 22, 9, 30, tzinfo=UTC)

ORDERED = """
segment: ordered-30d
rule: {count: Order Completed, within: 30 days, operator: ">=", value: 1}
"""
TWICE = """
segment: two-or-more
rule: {count: Order Completed, operator: ">=", value: 2}
"""
BROWSING = """
segment: browsing-now
rule: {count: Product Viewed, within: 5 seconds, operator: ">=", value: 1}
"""


class World:
    """The segmenter's handler on a real PostgreSQL; `published` is everything it said, in order."""

    def __init__(self, database_url: str, connection: AsyncConnection) -> None:
        self.database_url = database_url
        self.connection = connection
        self.outlet = PostgresOutlet()
        self.now = START
        self.published: list[Publication] = []
        self.metrics = Metrics("segmenter")
        self.changes_counted = ChangesCounted(self.metrics)

    def define(self, *sources: str) -> None:
        """Register definitions, as a start does."""
        definitions: dict[str, tuple[Definition, str]] = {}
        for source in sources:
            definition = read("test.yaml", source.encode())
            definitions[definition.segment] = (definition, source)
        with connect(self.database_url) as connection:
            self.catalogue = register(connection, definitions)
        self.handler = SegmenterHandler(self.catalogue, PostgresCustomers(), self.changes_counted, 1)

    def later(self, **parts: float) -> datetime:
        """Move the clock on."""
        self.now += timedelta(**parts)
        return self.now

    async def feed(self, *records: Record) -> Sequence[Outcome]:
        """Apply records as one batch and commit."""
        events = []
        for record in records:
            for index, event in enumerate(self.handler.decode(record)):
                assert not isinstance(event, Poison), event
                events.append(Received(record, index, event))
        return (await self.apply(events, ())).outcomes

    async def tick(self) -> int:
        """Fire what is due and commit; returns how many instants that was."""
        fired = await due.take(self.connection, {0: self.now}, 2000)
        await self.apply((), fired)
        return len(fired)

    async def apply(self, events: Sequence[Received[Said]], fired: Sequence[DueInstant]) -> Decision[Rows]:
        """Do what the runtime does between the fence and COMMIT."""
        state = await self.handler.load(self.connection, self.handler.keys(events, fired))
        decision = self.handler.decide(events, fired, state, self.now)
        await self.handler.save(self.connection, decision.rows)
        await due.change(self.connection, decision.due)
        await streams.append(self.connection, decision.publications)
        await self.connection.commit()
        self.published += decision.publications
        return decision

    @property
    def changes(self) -> list[SegmentChange]:
        """Read what was published of entries and exits."""
        said = [one.message.value for one in self.published if one.topic == SEGMENT_CHANGES.name]
        return [decode(SegmentChange, value) for value in said if value is not None]

    async def due_at(self) -> list[datetime]:
        """List the instants that are set."""
        cursor = await self.connection.execute("SELECT at FROM due ORDER BY at")
        return [at for (at,) in await cursor.fetchall()]

    async def inside(self, segment: str) -> set[str]:
        """List who is in a segment by the table."""
        cursor = await self.connection.execute(
            "SELECT replace(customer_id::text, '-', '') FROM memberships WHERE segment = %s AND inside", (segment,)
        )
        return {customer for (customer,) in await cursor.fetchall()}

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Ask the database on a connection of its own."""
        with psycopg.connect(self.database_url, options="-c search_path=segmenter") as connection:
            return connection.execute(statement.encode()).fetchall()
