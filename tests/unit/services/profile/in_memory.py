"""The customer store in memory, with the same promises as the tables."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import cast

from psycopg import AsyncConnection

from services.profile.domain.event import Event
from services.profile.domain.state import dump, load
from services.profile.handlers import ProfileHandler
from services.profile.ports import Change, Entry, Stored
from services.profile.state_cache import StateCache
from shared.runtime.clock import SystemClock
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import Outcome, Publication
from shared.runtime.records import Poison, Received, Record

NO_CONNECTION = cast("AsyncConnection", None)


class InMemoryCustomers:
    """Rows as the tables hold them: documents as bytes, so that nothing is shared with who wrote them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[int, bytes]] = {}
        self.timeline: dict[bytes, Entry] = {}

    async def customers(self, _connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        rows = {key: self.rows[key] for key in keys if key in self.rows}
        return {key.hex(): Stored(version, load(document)) for key, (version, document) in rows.items()}

    async def hashes(self, _connection: AsyncConnection, keys: Mapping[date, Sequence[bytes]]) -> Mapping[bytes, bytes]:
        wanted = [key for some in keys.values() for key in some]
        return {key: self.timeline[key].event.payload_hash for key in wanted if key in self.timeline}

    async def write(self, _connection: AsyncConnection, changes: Sequence[Change], entries: Sequence[Entry]) -> None:
        for change in changes:
            if self.rows.get(change.key, (0, b""))[0] != change.before:
                raise StaleStateError("a customer was changed by somebody else")
        if any(entry.event.key in self.timeline for entry in entries):
            raise StaleStateError("an event was added by somebody else")
        self.rows.update({change.key: (change.after.version, dump(change.after.state)) for change in changes})
        self.timeline.update({entry.event.key: entry for entry in entries})

    def forget(self) -> None:
        """Nothing is remembered but the rows."""


def new_handler(store: InMemoryCustomers | None = None, cached: int = 100) -> ProfileHandler:
    return ProfileHandler(store or InMemoryCustomers(), StateCache(cached), lanes=4)


def read_all(handler: ProfileHandler, records: Sequence[Record]) -> list[Received[Event]]:
    """Decode records that hold nothing unreadable."""
    received = []
    for record in records:
        for index, event in enumerate(handler.decode(record)):
            assert not isinstance(event, Poison), event
            received.append(Received(record, index, event))
    return received


async def apply(
    handler: ProfileHandler, records: Sequence[Record], connection: AsyncConnection = NO_CONNECTION
) -> tuple[Sequence[Outcome], Sequence[Publication]]:
    """Take one batch through the handler as the runtime does."""
    events = read_all(handler, records)
    state = await handler.load(connection, handler.keys(events, ()))
    decision = handler.decide(events, (), state, SystemClock().now())
    await handler.save(connection, decision.rows)
    return decision.outcomes, decision.publications
