"""A counting worker driven by hand on the real PostgreSQL: what a process does in its loops, one step at a time."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.contracts.envelope import Headers
from shared.contracts.topics import Kind
from shared.runtime import positions
from shared.runtime.batch import DeadLetterPolicy, Parts, Processor
from shared.runtime.claiming import take_lanes
from shared.runtime.clock import FixedClock
from shared.runtime.database import new_pool
from shared.runtime.failpoints import Point
from shared.runtime.fuse import Fuse, Limits
from shared.runtime.handler import Dead, Decision, Message
from shared.runtime.health import Health
from shared.runtime.intake import Position
from shared.runtime.lanes import Claims
from shared.runtime.metrics import Metrics
from shared.runtime.observe import BatchObserver
from shared.runtime.positions import Stored
from shared.runtime.producing import Producing
from shared.runtime.publisher import Publisher
from shared.runtime.records import DueInstant, PlainRecord, Poison, Received, Record
from shared.runtime.settings import RuntimeSettings
from shared.runtime.transaction import Transactions
from tests.counting.handler import Click, CountingHandler, CountingOutlet, Rows, State
from tests.counting.topics import CLICKS, COUNTED, COUNTS

GROUP = "crm-counting"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOPIC_ID = UUID(int=7)


class FailingAt:
    """Raises what was asked for when a point is passed; steers a failure that real servers give only by luck."""

    def __init__(self) -> None:
        self.errors: dict[Point, Exception] = {}

    def hit(self, point: Point) -> None:
        error = self.errors.pop(point, None)
        if error is not None:
            raise error


class Journal(Producing):
    """Stands in for the broker where a test must refuse an acknowledgement; keeps what it acknowledged."""

    def __init__(self, settings: RuntimeSettings) -> None:
        super().__init__(settings)
        self.acknowledged: dict[tuple[str, int], list[tuple[bytes, Headers]]] = {}
        self.refusal: Exception | None = None

    async def send(self, topic: str, lane: int, run: Iterable[tuple[Message, Headers]]) -> list[tuple[int, int]]:
        if self.refusal is not None:
            raise self.refusal
        kept = self.acknowledged.setdefault((topic, lane), [])
        first = len(kept)
        kept.extend((message.key, headers) for message, headers in run)
        return [(first, len(kept) - first)]


@dataclass
class Worker:
    """One process's worth of parts."""

    name: str
    pool: AsyncConnectionPool[AsyncConnection]
    claims: Claims
    transactions: Transactions
    processor: Processor
    publisher: Publisher
    journal: Journal
    failing: FailingAt
    clock: FixedClock
    handler: CountingHandler
    metrics: Metrics
    offsets: dict[int, int] = field(default_factory=dict)

    async def claim(self, lanes: Iterable[int] = (0,)) -> None:
        """Do what an assignment does: raise the epochs, load positions, forget caches, take the publisher over."""
        wanted = sorted(lanes)
        epochs = await take_lanes(self.pool, GROUP, wanted, self.name)
        async with self.pool.connection() as connection, connection.transaction():
            stored = await positions.load(connection, GROUP, wanted, [CLICKS.name])
            new = {
                (CLICKS.name, lane): Stored(Position(0), TOPIC_ID)
                for lane in wanted
                if (CLICKS.name, lane) not in stored
            }
            if new:
                await positions.start(connection, GROUP, new)
        self.claims.replace(epochs)
        self.processor.forget()
        self.processor.positions = {place: one.position for place, one in (stored | new).items()}
        await self.publisher.take_over()

    async def process(self, *records: Record) -> None:
        """Apply records of any lanes as one poll."""
        polled: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            polled.setdefault((record.topic, record.partition), []).append(record)
        async with self.processor.lock:
            await self.processor.process(polled)

    async def fire(self, lanes: Mapping[int, datetime]) -> None:
        """Fire what fell due."""
        async with self.processor.lock:
            await self.processor.fire(lanes, 100)

    async def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Look at the tables."""
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query.encode(), parameters)
            return await cursor.fetchall()


def click(offset: int, id: str, who: str, lane: int = 0) -> PlainRecord:  # noqa: A002 - the field's name
    value = msgspec.json.encode({"id": id, "who": who})
    return PlainRecord(topic=CLICKS.name, partition=lane, offset=offset, key=who.encode(), value=value)


def nonsense(offset: int, lane: int = 0) -> PlainRecord:
    return PlainRecord(topic=CLICKS.name, partition=lane, offset=offset, key=b"x", value=b"not json")


class Refusing(CountingHandler):
    """Refuses every click in `decide`, as ingest refuses what is wrong."""

    def decide(
        self,
        events: Sequence[Received[Click]],
        due: Sequence[DueInstant],  # noqa: ARG002 - the interface's
        state: State,  # noqa: ARG002 - the interface's
        now: datetime,  # noqa: ARG002 - the interface's
    ) -> Decision[Rows]:
        return Decision(Rows({}, {}, []), [Dead(Poison("refused"))] * len(events))


class FailingOn(CountingHandler):
    """Fails on whoever is called `clock:1`, as a bug that one customer's state brings out."""

    def decide(
        self, events: Sequence[Received[Click]], due: Sequence[DueInstant], state: State, now: datetime
    ) -> Decision[Rows]:
        if any(instant.key == "clock:1" for instant in due):
            raise ValueError("a bug")
        return super().decide(events, due, state, now)


@asynccontextmanager
async def worker(
    name: str,
    database_url: str,
    limits: Limits | None = None,
    kind: type[CountingHandler] = CountingHandler,
    policy: DeadLetterPolicy = DeadLetterPolicy.RUNTIME_KEEPS,
) -> AsyncIterator[Worker]:
    """Make a worker on a migrated database; it holds nothing until it claims."""
    settings = RuntimeSettings.model_validate({"kafka_bootstrap_servers": "localhost:1", "database_url": database_url})
    pool = new_pool("counting", settings, {})
    claims, failing, clock = Claims(GROUP), FailingAt(), FixedClock(NOW)
    transactions = Transactions(pool, claims, failing)
    journal = Journal(settings)
    handler = kind(failing)
    outputs = {COUNTS.name: COUNTS.kind, COUNTED.name: COUNTED.kind}
    metrics = Metrics("counting")
    observer = BatchObserver(metrics, Health(), clock, None)
    publisher = Publisher(transactions, pool, CountingOutlet(), journal, outputs, failing, observer)
    transactions.hand_over = publisher.hand_over
    parts = Parts(handler, transactions, journal, clock, failing, observer, policy)
    processor = Processor(parts, {CLICKS.name: Kind.RAW}, Fuse(limits or Limits()))
    await pool.open()
    try:
        yield Worker(name, pool, claims, transactions, processor, publisher, journal, failing, clock, handler, metrics)
    finally:
        await pool.close()
