"""From events to facts: what is new is added up and kept, and nothing is said."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from psycopg import AsyncConnection

from services.metrics.decoding import read
from services.metrics.domain.events import CustomerSeen, Erased, Event, Order
from services.metrics.domain.facts import Facts, facts_of
from services.metrics.ports import FactStore
from shared.runtime.handler import APPLIED, DUPLICATE, ERASED, Decision, Outcome
from shared.runtime.records import DueInstant, Poison, Received, Record

Versions = Mapping[bytes, Order]


class MetricsHandler:
    """The handler of metrics. Sequenced logs come to it without repeats; of customers it takes only what is greater."""

    def __init__(self, store: FactStore) -> None:
        self._store = store

    def decode(self, record: Record) -> Sequence[Event | Poison]:
        """Read the one event of a record."""
        return (read(record),)

    def keys(self, events: Sequence[Received[Event]], due: Sequence[DueInstant]) -> frozenset[bytes]:  # noqa: ARG002 - the interface's; we set no instants
        """Name the customers whose records came: only they have a version to compare with."""
        return frozenset(received.event.customer for received in events if isinstance(received.event, CustomerSeen))

    async def load(self, connection: AsyncConnection, keys: frozenset[bytes]) -> Versions:
        """Read the versions that were counted."""
        return await self._store.customer_versions(connection, sorted(keys)) if keys else {}

    def decide(
        self,
        events: Sequence[Received[Event]],
        due: Sequence[DueInstant],  # noqa: ARG002 - the interface's; we set no instants
        state: Versions,
        now: datetime,  # noqa: ARG002 - the interface's; a fact knows only the event's own time
    ) -> Decision[Facts]:
        """Add up what is new."""
        counted = dict(state)
        outcomes: list[Outcome] = []
        fresh: list[Event] = []
        for received in events:
            event = received.event
            if isinstance(event, Erased):
                outcomes.append(ERASED)
                continue
            if isinstance(event, CustomerSeen):
                known = counted.get(event.customer)
                if known is not None and event.order <= known:
                    outcomes.append(DUPLICATE)
                    if event.memberships:
                        # What it says of identities counts by their own numbers, so that no order shows in the tables.
                        fresh.append(event)
                    continue
                counted[event.customer] = event.order
            outcomes.append(APPLIED)
            fresh.append(event)
        return Decision(facts_of(fresh), outcomes)

    async def save(self, connection: AsyncConnection, rows: Facts) -> None:
        """Add the facts to what is kept."""
        await self._store.add(connection, rows)

    def forget(self) -> None:
        """Nothing is cached."""
