from datetime import timedelta

import pytest

from shared.contracts.segments import Change, ClockCause, EventCause, Fact, RecordCause
from shared.contracts.topics import SEGMENT_MEMBERSHIPS
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import APPLIED, DUPLICATE
from shared.runtime.records import Poison, Received
from tests.integration.services.segmenter.records import ADA, EVA, activity, customer_record, erasure
from tests.integration.services.segmenter.world import BROWSING, ORDERED, START, TWICE, World

AUSTRIAN = """
segment: austrian
rule: {field: traits.country, operator: "==", value: AT}
"""
NOT_ORDERED = """
segment: not-ordered
rule: {not: {count: Order Completed, operator: ">=", value: 1}}
"""


async def test_an_event_lets_a_customer_in_and_the_clock_takes_them_out_at_the_exact_instant(world: World) -> None:
    world.define(BROWSING)
    await world.feed(activity("Product Viewed", START, message_id="view-1", version=3))
    assert [change.change for change in world.changes] == [Change.ENTERED]
    assert await world.due_at() == [START + timedelta(seconds=5)]

    world.later(seconds=5.3)
    assert await world.tick() == 1
    entered, exited = world.changes
    assert entered.cause == EventCause("view-1")
    assert entered.effective_at == START
    assert exited.change is Change.EXITED
    assert exited.cause == ClockCause()
    assert exited.effective_at == START + timedelta(seconds=5)
    assert exited.computed_at == world.now
    assert exited.reason == (Fact("count(Product Viewed, 5 seconds) >= 1", 0),)
    assert (exited.sequence, exited.customer_version) == (2, 3)
    assert await world.due_at() == []
    assert await world.inside("browsing-now") == set()


async def test_a_second_event_moves_the_exit_on(world: World) -> None:
    world.define(BROWSING)
    await world.feed(activity("Product Viewed", START))
    world.later(seconds=3)
    await world.feed(activity("Product Viewed", world.now, offset=1))
    assert await world.due_at() == [START + timedelta(seconds=8)]
    world.later(seconds=3)
    assert await world.tick() == 0
    world.later(seconds=3)
    await world.tick()
    assert [change.effective_at for change in world.changes] == [START, START + timedelta(seconds=8)]


async def test_imported_history_publishes_no_past_entries_and_exits(world: World) -> None:
    world.define(TWICE, ORDERED)
    old = [activity("Order Completed", START - timedelta(days=day), offset=900 - day) for day in range(900, 40, -50)]
    await world.feed(*old)
    assert [(change.segment, change.change) for change in world.changes] == [("two-or-more", Change.ENTERED)]
    assert await world.due_at() == []


async def test_counts_ever_stay_exact_although_old_times_are_forgotten(world: World) -> None:
    world.define('segment: loyal\nrule: {count: Order Completed, operator: "==", value: 4}')
    for day in (1000, 900, 800, 1):
        await world.feed(activity("Order Completed", START - timedelta(days=day)))
    (entered,) = world.changes
    assert entered.reason == (Fact("count(Order Completed) == 4", 4),)


async def test_an_event_ahead_of_us_counts_only_from_its_instant_on(world: World) -> None:
    world.define(BROWSING)
    soon = START + timedelta(minutes=4)
    await world.feed(activity("Product Viewed", soon))
    assert world.changes == []
    assert await world.due_at() == [soon]
    world.now = soon
    await world.tick()
    (entered,) = world.changes
    assert (entered.change, entered.effective_at, entered.cause) == (Change.ENTERED, soon, ClockCause())
    assert await world.due_at() == [soon + timedelta(seconds=5)]


async def test_an_exit_that_is_due_waits_for_the_clock_when_an_old_event_is_read_first(world: World) -> None:
    world.define(ORDERED)
    await world.feed(activity("Order Completed", START))
    world.later(days=31)
    # Unread until now: it is too old to keep them in, and it is not what takes them out.
    await world.feed(activity("Order Completed", START + timedelta(hours=1), offset=1))
    assert len(world.changes) == 1
    assert await world.due_at() == [START + timedelta(days=30)]
    await world.tick()
    assert world.changes[1].cause == ClockCause()
    assert world.changes[1].effective_at == START + timedelta(days=30, hours=1)


async def test_an_order_read_before_the_clock_fires_keeps_a_customer_in(world: World) -> None:
    world.define(ORDERED)
    await world.feed(activity("Order Completed", START))
    world.later(days=30, minutes=1)
    await world.feed(activity("Order Completed", world.now, offset=1))
    await world.tick()
    assert [change.change for change in world.changes] == [Change.ENTERED]
    assert await world.due_at() == [world.now + timedelta(days=30)]


async def test_a_record_lets_in_and_out_and_an_older_one_changes_nothing(world: World) -> None:
    world.define(AUSTRIAN)
    assert await world.feed(customer_record(2, START, traits={"country": "AT"})) == [APPLIED]
    assert await world.feed(customer_record(1, START, traits={"country": "DE"})) == [DUPLICATE]
    assert await world.feed(customer_record(2, START, traits={"country": "DE"})) == [DUPLICATE]
    assert await world.inside("austrian") == {EVA}
    assert await world.feed(customer_record(1, START, traits={"country": "DE"}, incarnation=2)) == [APPLIED]
    assert [(change.change, change.cause) for change in world.changes] == [
        (Change.ENTERED, RecordCause(2)),
        (Change.EXITED, RecordCause(1)),
    ]


async def test_whoever_is_new_is_judged_by_every_segment(world: World) -> None:
    world.define(NOT_ORDERED, AUSTRIAN)
    await world.feed(customer_record(1, START))
    await world.feed(activity("Product Viewed", START, customer=ADA))
    assert await world.inside("not-ordered") == {ADA, EVA}
    await world.feed(activity("Order Completed", START, offset=1))
    assert await world.inside("not-ordered") == {ADA}


async def test_an_erased_customer_leaves_every_segment_and_nothing_behind(world: World) -> None:
    world.define(TWICE, NOT_ORDERED)
    await world.feed(customer_record(1, START, traits={"email": "eva@example.com"}))
    await world.feed(activity("Order Completed", START), activity("Order Completed", START, offset=1))
    assert await world.inside("two-or-more") == {EVA}
    await world.feed(erasure(4))
    assert await world.inside("two-or-more") == set()
    assert await world.inside("not-ordered") == set()
    assert world.changes[-1].cause == RecordCause(4)
    ((doc,),) = world.query("SELECT doc FROM customers")
    assert isinstance(doc, bytes)
    assert b"eva" not in doc
    assert b"Order" not in doc


async def test_an_exit_is_a_tombstone_and_the_sequence_goes_on(world: World) -> None:
    world.define(BROWSING)
    for number in range(2):
        await world.feed(activity("Product Viewed", world.now, offset=number))
        world.later(seconds=5)
        await world.tick()
        world.later(seconds=5)
    states = [one.message for one in world.published if one.topic == SEGMENT_MEMBERSHIPS.name]
    assert [message.key for message in states] == [f"{EVA}:browsing-now".encode()] * 4
    assert [message.value is None for message in states] == [False, True, False, True]
    assert [dict(message.headers)["ce_version"] for message in states] == [b"1", b"2", b"3", b"4"]
    assert [change.sequence for change in world.changes] == [1, 2, 3, 4]


async def test_a_state_topic_hears_once_a_batch_where_things_stand(world: World) -> None:
    world.define('segment: one-order\nrule: {count: Order Completed, operator: "==", value: 1}')
    await world.feed(activity("Order Completed", START), activity("Order Completed", START, offset=1))
    assert [change.change for change in world.changes] == [Change.ENTERED, Change.EXITED]
    states = [one.message.value for one in world.published if one.topic == SEGMENT_MEMBERSHIPS.name]
    assert states == [None]


async def test_a_late_event_makes_nobody_leave_before_they_entered(world: World) -> None:
    world.define('segment: one-order\nrule: {count: Order Completed, operator: "==", value: 1}')
    await world.feed(activity("Order Completed", START))
    await world.feed(activity("Order Completed", START - timedelta(days=3), offset=1))
    entered, exited = world.changes
    assert entered.effective_at == START
    assert exited.effective_at == START


@pytest.mark.parametrize("known", [False, True])
async def test_a_customer_that_somebody_else_wrote_meanwhile_makes_the_batch_stale(
    world: World, *, known: bool
) -> None:
    world.define(TWICE)
    if known:
        await world.feed(activity("Order Completed", START))
    record = activity("Order Completed", START, offset=1)
    (said,) = world.handler.decode(record)
    assert not isinstance(said, Poison)
    events = [Received(record, 0, said)]
    state = await world.handler.load(world.connection, world.handler.keys(events, ()))
    await world.feed(activity("Product Viewed", START, offset=2))
    decision = world.handler.decide(events, (), state, world.now)
    with pytest.raises(StaleStateError):
        await world.handler.save(world.connection, decision.rows)


async def test_changes_are_counted_when_they_are_certain(world: World) -> None:
    world.define(BROWSING)

    def counted() -> float | None:
        labels = {"segment": "browsing-now", "change": "entered", "cause": "event"}
        return world.metrics.registry.get_sample_value("crm_segment_changes_total", labels)

    await world.feed(activity("Product Viewed", START))
    assert counted() is None
    world.changes_counted.look()
    world.changes_counted.look()
    assert counted() == 1
    await world.feed(activity("Product Viewed", START, customer=ADA))
    world.handler.forget()
    world.later(seconds=5)
    await world.tick()
    assert counted() == 1
