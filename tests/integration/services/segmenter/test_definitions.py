from datetime import timedelta

import pytest

from services.segmenter.adapters.postgres_definitions import connect, in_force
from services.segmenter.adapters.sweep import sweep
from shared.contracts.segments import Change, ClockCause, DefinitionCause, EventCause, Fact
from shared.runtime.database import new_pool
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.lanes import Claims, claim
from shared.runtime.settings import RuntimeSettings
from shared.runtime.transaction import Transactions
from tests.integration.services.segmenter.records import ADA, EVA, activity
from tests.integration.services.segmenter.world import BROWSING, ORDERED, START, TWICE, World

ONCE = TWICE.replace("value: 2", "value: 1")


async def sweep_all(world: World) -> None:
    """Sweep lane 0 as its owner does, through fenced transactions."""
    fields = {"kafka_bootstrap_servers": "localhost:9092", "database_url": world.database_url}
    settings = RuntimeSettings.model_validate(fields)
    claims = Claims("crm-segmenter")
    pool = new_pool("segmenter", settings, {}, size=2)
    await pool.open()
    try:
        async with pool.connection() as connection:
            claims.replace(await claim(connection, claims.group, [0], "test"))
        await sweep(Transactions(pool, claims, NullFailpoints()), 0, world.catalogue.revision, world.now)
    finally:
        await pool.close()


async def test_a_changed_rule_is_a_new_version_and_words_around_it_are_not(world: World) -> None:
    world.define(TWICE)
    assert (world.catalogue.segments[0].version, world.catalogue.revision) == (1, 1)
    world.define("# A comment.\n" + TWICE + "description: Twice.\n")
    assert (world.catalogue.segments[0].version, world.catalogue.revision) == (1, 1)
    world.define(ONCE)
    assert (world.catalogue.segments[0].version, world.catalogue.revision) == (2, 2)
    with connect(world.database_url) as connection:
        assert in_force(connection).segments[0].rule == world.catalogue.segments[0].rule


async def test_a_new_definition_judges_everybody_on_their_past(world: World) -> None:
    world.define(BROWSING)
    for customer, orders in ((EVA, 2), (ADA, 1)):
        for number in range(orders):
            await world.feed(activity("Order Completed", START - timedelta(days=number), customer=customer))
    world.define(BROWSING, TWICE, ORDERED)
    world.later(hours=1)
    await sweep_all(world)
    assert await world.tick() == 2
    assert await world.inside("two-or-more") == {EVA}
    assert await world.inside("ordered-30d") == {ADA, EVA}
    entered = next(change for change in world.changes if change.segment == "two-or-more")
    assert entered.cause == DefinitionCause(1)
    assert entered.effective_at == world.now
    assert entered.reason == (Fact("count(Order Completed) >= 2", 2),)
    assert await world.due_at() == [START + timedelta(days=30)] * 2


async def test_a_sweep_that_is_repeated_wakes_nobody_twice(world: World) -> None:
    world.define(TWICE)
    await world.feed(activity("Order Completed", START))
    world.define(ONCE)
    await sweep_all(world)
    await sweep_all(world)
    assert await world.tick() == 1
    await sweep_all(world)
    assert await world.tick() == 0
    assert [change.definition_version for change in world.changes] == [2]


async def test_a_removed_definition_lets_its_members_go_and_may_come_back(world: World) -> None:
    world.define(TWICE, ONCE.replace("two-or-more", "once"))
    await world.feed(activity("Order Completed", START))
    assert await world.inside("once") == {EVA}
    world.define(TWICE)
    await sweep_all(world)
    await world.tick()
    assert await world.inside("once") == set()
    left = world.changes[-1]
    assert (left.change, left.cause, left.definition_version, left.sequence) == (
        Change.EXITED,
        DefinitionCause(2),
        2,
        2,
    )
    world.define(TWICE, ONCE.replace("two-or-more", "once"))
    await sweep_all(world)
    await world.tick()
    assert world.changes[-1].cause == DefinitionCause(3)
    assert await world.inside("once") == {EVA}


async def test_an_event_before_the_sweep_changes_only_what_is_its_own_doing(world: World) -> None:
    world.define(BROWSING)
    await world.feed(activity("Order Completed", START - timedelta(days=1)))
    world.define(BROWSING, ORDERED, TWICE)
    await world.feed(activity("Order Completed", START, message_id="second", offset=1))
    # A second order made two-or-more true; ordered-30d was true before, so that is the definition's doing.
    assert [(change.segment, change.cause) for change in world.changes] == [("two-or-more", EventCause("second"))]
    await sweep_all(world)
    await world.tick()
    assert [(change.segment, change.cause) for change in world.changes[1:]] == [("ordered-30d", DefinitionCause(1))]


async def test_an_event_between_the_sweep_and_the_clock_leaves_the_wake_up_alone(world: World) -> None:
    world.define(BROWSING)
    await world.feed(activity("Order Completed", START))
    world.define(BROWSING, ORDERED)
    await sweep_all(world)
    await world.feed(activity("Product Viewed", START, offset=1))
    assert await world.tick() == 1
    assert await world.inside("ordered-30d") == {EVA}
    assert await world.due_at() == [START + timedelta(seconds=5)]


async def test_a_clock_that_the_sweep_fired_early_is_set_again(world: World) -> None:
    world.define(ORDERED)
    await world.feed(activity("Order Completed", START))
    world.define(ORDERED, TWICE)
    await sweep_all(world)
    assert await world.tick() == 1
    assert await world.due_at() == [START + timedelta(days=30)]


async def test_a_sweep_takes_nothing_from_a_clock_that_is_late(world: World) -> None:
    world.define(BROWSING)
    await world.feed(activity("Product Viewed", START))
    world.later(seconds=20)
    world.define(BROWSING, TWICE)
    await sweep_all(world)
    await world.tick()
    exited = world.changes[-1]
    assert (exited.cause, exited.effective_at) == (ClockCause(), START + timedelta(seconds=5))


async def test_a_sweep_goes_through_every_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.segmenter.adapters.sweep.PAGE", 3)
    world.define(TWICE)
    people = [f"{number:032x}" for number in range(1, 11)]
    await world.feed(*(activity("Order Completed", START, customer=one, offset=n) for n, one in enumerate(people)))
    world.define(ONCE)
    await sweep_all(world)
    assert await world.tick() == 10
    assert await world.inside("two-or-more") == set(people)
