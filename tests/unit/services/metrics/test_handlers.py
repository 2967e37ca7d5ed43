"""What the handler decides: what is new is counted, what is not says so."""

from collections.abc import Mapping, Sequence

import pytest
from psycopg import AsyncConnection

from services.metrics.domain.events import Event, Order
from services.metrics.domain.facts import Facts
from services.metrics.handlers import MetricsHandler, Versions
from shared.contracts.customers import Lifecycle
from shared.runtime.handler import APPLIED, DUPLICATE, ERASED, Decision
from shared.runtime.records import PlainRecord, Poison, Received
from tests.unit.services.metrics.records import NOON, change, customer, order, outreach


class NoStore:
    """The handler's pure parts need none."""

    async def customer_versions(self, connection: AsyncConnection, customers: Sequence[bytes]) -> Mapping[bytes, Order]:
        raise AssertionError(connection, customers)

    async def add(self, connection: AsyncConnection, facts: Facts) -> None:
        raise AssertionError(connection, facts)


HANDLER = MetricsHandler(NoStore())
EVA, TOM = (1).to_bytes(16, "big"), (2).to_bytes(16, "big")


def received(records: Sequence[PlainRecord]) -> list[Received[Event]]:
    events = []
    for record in records:
        (event,) = HANDLER.decode(record)
        assert not isinstance(event, Poison)
        events.append(Received(record, 0, event))
    return events


def decide(records: Sequence[PlainRecord], state: Versions | None = None) -> Decision[Facts]:
    return HANDLER.decide(received(records), (), state or {}, NOON)


def test_every_event_gets_one_outcome_in_order_and_nothing_is_said() -> None:
    erased = PlainRecord(topic="crm.activities.v1", partition=0, offset=0)
    decision = decide([order(), erased, customer(1, 1), outreach(), customer(1, 1), change()])
    assert decision.outcomes == [APPLIED, ERASED, APPLIED, APPLIED, DUPLICATE, APPLIED]
    assert (decision.publications, decision.due, decision.direct) == ((), (), ())


@pytest.mark.parametrize(("version", "outcome"), [(3, DUPLICATE), (4, DUPLICATE), (5, APPLIED)])
def test_of_a_customer_only_a_greater_version_than_the_counted_one_is_taken(version: int, outcome: object) -> None:
    decision = decide([customer(1, version, Lifecycle.CUSTOMER)], {EVA: (1, 4)})
    assert decision.outcomes == [outcome]
    assert bool(decision.rows.customers) is (outcome is APPLIED)


def test_a_stale_record_is_a_duplicate_and_still_says_whose_identities_are() -> None:
    decision = decide([customer(1, 3, memberships={2: 2})], {EVA: (1, 4)})
    assert decision.outcomes == [DUPLICATE]
    assert decision.rows.memberships == {TOM: (2, EVA), EVA: (0, EVA)}


def test_deciding_twice_gives_the_same() -> None:
    records = [order(), customer(1, 2), customer(1, 1), outreach(), change()]
    known = {EVA: (1, 1)}
    assert decide(records, known) == decide(records, known)
    assert known == {EVA: (1, 1)}


def test_only_customers_whose_records_came_are_looked_up() -> None:
    assert HANDLER.keys(received([order(2), customer(1), outreach()]), ()) == {EVA}
