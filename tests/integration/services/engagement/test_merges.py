"""Merges and their undoing between a segment entry and its mail: nobody is written to twice, or against their word."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services.engagement.adapters import postgres_memberships
from services.engagement.adapters.postgres_book import PostgresBook
from services.engagement.domain.following import Membership
from services.engagement.handlers import EngagementHandler
from shared.contracts.segments import Change
from shared.runtime.records import PlainRecord, Received
from tests.integration.services.engagement.mail_server import MailServer
from tests.integration.services.engagement.world import Owner, World
from tests.unit.services.engagement.records import (
    MERGED,
    WITHDRAWN,
    campaign,
    change,
    customer,
    person,
    record,
    redirect,
)

ANNA, BEN, CARA = 1, 2, 3
IN_BENS_LANE, IN_ANNAS_LANE = 2, 1
A_MOMENT = timedelta(seconds=10)
TO_BOTH = "both@example.com"


async def settle(world: World, *owners: Owner) -> None:
    """Let time pass until nothing looks again, and send."""
    for _ in range(3):
        world.clock.at += A_MOMENT
        for owner in owners:
            await world.tick(owner)
            while await owner.sender.round():
                pass


async def test_a_parked_trigger_follows_to_the_customer_that_its_own_became(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN), 4), change(BEN, 5))
    await world.read(owner, redirect(BEN, ANNA, 6))
    await settle(world, owner)
    assert await world.ask("SELECT customer_id FROM triggers") == [(person(BEN),)]
    await world.read(owner, customer(record(ANNA, memberships={BEN: 2}), 9))
    assert await world.states() == {}
    await settle(world, owner)
    assert await world.states() == {"accepted": 1}
    assert [mail["To"] for mail in server.journal] == ["c1@example.com"]
    assert await world.ask("SELECT count(*) FROM triggers UNION ALL SELECT count(*) FROM due") == [(0,), (0,)]


async def test_a_trigger_follows_through_several_merges(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, change(ANNA, 5), redirect(ANNA, BEN, 6, 2))
    await world.read(owner, customer(record(BEN, memberships={ANNA: 2}), 3), redirect(BEN, CARA, 4, 2))
    await settle(world, owner)
    assert server.journal == []
    await world.read(owner, redirect(ANNA, CARA, 7, 3), customer(record(CARA, memberships={ANNA: 3, BEN: 2}), 2))
    await settle(world, owner)
    assert [mail["To"] for mail in server.journal] == ["c3@example.com"]


async def test_a_removal_ends_a_trigger_that_waited_for_who_its_customer_is(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, change(BEN, 5), redirect(BEN, ANNA, 6))
    await world.read(owner, customer(None, 7, number=BEN))
    assert await world.states() == {"unknown_customer": 1}
    assert await world.ask("SELECT count(*) FROM triggers") == [(0,)]


async def test_a_trigger_of_somebody_who_is_never_told_of_expires(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, change(BEN, 5), redirect(BEN, ANNA, 6))
    world.clock.at += campaign().expires_after
    await world.tick(owner)
    assert await world.states() == {}
    world.clock.at += A_MOMENT
    await world.tick(owner)
    assert await world.states() == {"expired": 1}
    assert await world.ask("SELECT count(*) FROM triggers UNION ALL SELECT count(*) FROM due") == [(0,), (0,)]


async def test_a_withdrawal_before_the_merge_stops_the_mail_of_the_absorbed_customer(
    world: World, server: MailServer
) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(ANNA, email=TO_BOTH, consent=WITHDRAWN), 8))
    await world.read(owner, customer(record(BEN, email=TO_BOTH), 5), change(BEN, 5))
    assert await world.states() == {"planned": 1}
    merged = record(ANNA, email=TO_BOTH, consent=WITHDRAWN, memberships={BEN: 2})
    await world.read(owner, redirect(BEN, ANNA, 6), customer(merged, 9))
    await settle(world, owner)
    assert (await world.states(), server.journal) == ({"consent_withdrawn": 1}, [])


async def test_the_new_customer_s_word_counts_although_the_redirect_is_still_to_come(
    world: World, server: MailServer
) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN, email=TO_BOTH), 5), change(BEN, 5))
    await world.read(owner, customer(record(ANNA, email=TO_BOTH, consent=WITHDRAWN, memberships={BEN: 2}), 9))
    await settle(world, owner)
    assert (await world.states(), server.journal) == ({"consent_withdrawn": 1}, [])


async def test_nothing_is_sent_on_a_record_from_before_the_merge(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(ANNA, email=TO_BOTH), 8))
    await world.read(owner, customer(record(BEN, email=TO_BOTH), 5), change(BEN, 5))
    await world.read(owner, customer(record(BEN, email=TO_BOTH, consent=WITHDRAWN), 6), redirect(BEN, ANNA, 7))
    await settle(world, owner)
    assert (await world.states(), server.journal) == ({"planned": 1}, [])
    assert await world.announced() == {"message.planned.v1": 1}
    await world.read(owner, customer(record(ANNA, email=TO_BOTH, consent=WITHDRAWN, memberships={BEN: 2}), 9))
    await settle(world, owner)
    assert (await world.states(), server.journal) == ({"consent_withdrawn": 1}, [])


async def test_a_message_whose_customer_is_never_told_of_expires(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN), 5), change(BEN, 5), redirect(BEN, ANNA, 6))
    await world.read(owner, customer(record(CARA), 1), change(CARA, 1))
    await settle(world, owner)
    world.clock.at += campaign().expires_after
    await settle(world, owner)
    # Those who wait do not keep anybody else waiting.
    assert await world.states() == {"expired": 1, "accepted": 1}


async def test_the_address_of_the_new_customer_must_be_the_one_that_was_planned_for(
    world: World, server: MailServer
) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN), 5), change(BEN, 5))
    await world.read(owner, redirect(BEN, ANNA, 6), customer(record(ANNA, memberships={BEN: 2}), 9))
    await settle(world, owner)
    assert (await world.states(), server.journal) == ({"address_changed": 1}, [])


async def test_a_merge_that_is_undone_before_the_mail_leaves_no_trace(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN), 5), change(BEN, 5))
    await world.read(owner, redirect(BEN, ANNA, 6), customer(record(ANNA, consent=WITHDRAWN, memberships={BEN: 2}), 9))
    await world.read(owner, customer(record(ANNA, consent=WITHDRAWN), 10))
    await world.read(owner, customer(record(BEN, memberships={BEN: 3}), 7))
    await settle(world, owner)
    assert [mail["To"] for mail in server.journal] == ["c2@example.com"]


async def test_a_stale_redirect_moves_nobody(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN, memberships={BEN: 3}), 7), change(BEN, 7))
    await world.read(owner, redirect(BEN, ANNA, 6), customer(record(ANNA, memberships={BEN: 2}), 9))
    await settle(world, owner)
    assert [mail["To"] for mail in server.journal] == ["c2@example.com"]
    assert await world.ask("SELECT customer_id, number FROM memberships") == [(person(BEN), 3)]


async def test_neither_a_merge_nor_its_undoing_starts_a_campaign(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(ANNA)), customer(record(BEN)), change(BEN))
    await settle(world, owner)
    merged = [change(BEN, 2, sequence=2, kind=Change.EXITED, cause=MERGED), change(ANNA, 2, cause=MERGED)]
    await world.read(owner, redirect(BEN, ANNA, 2), customer(record(ANNA, memberships={BEN: 2}), 2), *merged)
    await settle(world, owner)
    undone = [change(ANNA, 3, sequence=2, kind=Change.EXITED, cause=MERGED), change(BEN, 3, sequence=3, cause=MERGED)]
    await world.read(owner, customer(record(ANNA), 3), customer(record(BEN, memberships={BEN: 3}), 3), *undone)
    # Somebody to whom nothing was ever written.
    await world.read(owner, customer(record(CARA)), change(CARA, cause=MERGED))
    await settle(world, owner)
    assert [mail["To"] for mail in server.journal] == ["c2@example.com"]
    assert await world.states() == {"accepted": 1}


async def test_a_campaign_that_asks_for_merges_writes_to_each_person_once_all_the_same(
    world: World, server: MailServer
) -> None:
    asking = campaign()
    world.campaigns = {asking.name: replace(asking, trigger=replace(asking.trigger, on_merge=True))}
    owner = await world.owner()
    await world.read(owner, customer(record(ANNA)), customer(record(BEN)), customer(record(CARA)), change(BEN))
    await settle(world, owner)
    await world.read(owner, redirect(BEN, ANNA, 2), customer(record(ANNA, memberships={BEN: 2}), 2))
    await world.read(owner, change(ANNA, 2, cause=MERGED), change(CARA, 1, cause=MERGED))
    await settle(world, owner)
    assert sorted(mail["To"] for mail in server.journal) == ["c2@example.com", "c3@example.com"]
    assert await world.states() == {"accepted": 2, "already_written": 1}


@pytest.mark.parametrize("seed", range(12))
async def test_one_entry_is_one_mail_however_a_merge_and_its_undoing_are_read(
    world: World, server: MailServer, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same order each time
    both = (await world.owner([IN_BENS_LANE, 0]), await world.owner([IN_ANNAS_LANE, 3]))

    anna, ben = partial(record, ANNA, email=TO_BOTH), partial(record, BEN, email=TO_BOTH)
    logs: list[tuple[int, list[PlainRecord]]] = [
        (
            0,
            [
                customer(ben(), 1, lane=IN_BENS_LANE),
                redirect(BEN, ANNA, 2, lane=IN_BENS_LANE),
                customer(ben(memberships={BEN: 3}), 3, lane=IN_BENS_LANE),
            ],
        ),
        (
            0,
            [
                change(BEN, 1, lane=IN_BENS_LANE),
                change(BEN, 2, sequence=2, kind=Change.EXITED, cause=MERGED, lane=IN_BENS_LANE),
                change(BEN, 3, sequence=3, cause=MERGED, lane=IN_BENS_LANE),
            ],
        ),
        (
            1,
            [
                customer(anna(), 1, lane=IN_ANNAS_LANE),
                customer(anna(memberships={BEN: 2}), 2, lane=IN_ANNAS_LANE),
                customer(anna(), 3, lane=IN_ANNAS_LANE),
            ],
        ),
        (
            1,
            [
                change(ANNA, 2, cause=MERGED, lane=IN_ANNAS_LANE),
                change(ANNA, 3, sequence=2, kind=Change.EXITED, cause=MERGED, lane=IN_ANNAS_LANE),
            ],
        ),
    ]
    while any(log for _, log in logs):
        whose, log = chance.choice([each for each in logs if each[1]])
        message = log.pop(0)
        for _ in range(chance.choice([1, 1, 1, 1, 2])):
            await world.read(both[whose], message)
        if chance.random() < 0.3:
            await settle(world, *both)
    await settle(world, *both)
    assert [mail["To"] for mail in server.journal] == [TO_BOTH]
    assert await world.states() == {"accepted": 1}


async def test_a_mail_waits_while_anything_is_rewritten_that_says_who_its_customer_is(
    world: World, server: MailServer
) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(BEN, email=TO_BOTH), 1), change(BEN, 1))
    told = customer(record(ANNA, email=TO_BOTH, consent=WITHDRAWN, memberships={BEN: 2}), 2)
    handler = EngagementHandler(world.planning, PostgresBook(), lambda: None)
    events = [Received(told, 0, event) for event in handler.decode(told)]
    async with world.pool.connection() as connection:
        known = await handler.load(connection, handler.keys(events, ()))  # type: ignore[arg-type]  # no poison
        decision = handler.decide(events, (), known, world.clock.now())  # type: ignore[arg-type]  # no poison
        await handler.save(connection, decision.rows)
        assert await owner.sender.round() == 0
        assert server.journal == []
    async with world.pool.connection() as connection:
        await connection.execute("UPDATE customers SET version = version WHERE customer_id = %s", (person(ANNA),))
        assert await owner.sender.round() == 0
    assert await owner.sender.round() == 1
    assert (await world.states(), server.journal) == ({"consent_withdrawn": 1}, [])


async def test_of_two_workers_that_tell_of_one_identity_the_greater_membership_stays(world: World) -> None:
    async with (
        world.pool.connection() as one,
        world.pool.connection() as other,
        world.pool.connection() as watcher,
    ):
        await postgres_memberships.keep(one, {person(BEN): Membership(person(BEN), 3)})
        late = asyncio.create_task(postgres_memberships.keep(other, {person(BEN): Membership(person(ANNA), 2)}))
        async with asyncio.timeout(10):
            blocked = 0
            while not blocked:
                cursor = await watcher.execute("SELECT cardinality(pg_blocking_pids(%s))", (other.info.backend_pid,))
                blocked = (await cursor.fetchone() or (0,))[0]
        await one.commit()
        await late
    assert await world.ask("SELECT customer_id, number FROM memberships") == [(person(BEN), 3)]
