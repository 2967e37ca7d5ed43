"""A batch that is under way when its lanes go, or that takes too long, loses nothing and asks for consent anew."""

import asyncio
from datetime import timedelta

import pytest

from shared.runtime.errors import FencedError
from shared.runtime.failpoints import ArmedFailpoints, parse_rule
from tests.integration.services.engagement.mail_server import HOLD, MailServer
from tests.integration.services.engagement.world import LANES, Owner, World
from tests.unit.services.engagement.records import WITHDRAWN, change, customer, record

PEOPLE = range(1, 8)


async def sending_the_first_of_all(world: World, server: MailServer) -> tuple[Owner, asyncio.Task[int]]:
    """Begin a round to everybody whose first mail is answered when the test says so."""
    owner = await world.owner()
    await world.read(owner, *(customer(record(n), number=n) for n in PEOPLE), *(change(n) for n in PEOPLE))
    server.script.update({f"c{n}@example.com": [HOLD] for n in PEOPLE})
    sending = asyncio.create_task(owner.sender.round())
    await asyncio.wait_for(server.arrived.wait(), 10)
    return owner, sending


async def test_lanes_that_go_and_come_back_while_mails_go_out_leave_nothing_unknown(
    world: World, server: MailServer
) -> None:
    owner, sending = await sending_the_first_of_all(world, server)
    owner.claims.replace({})
    server.released.set()
    await sending
    assert len(server.journal) == 1
    assert await owner.sender.round() == 0
    await world.claim(owner)
    while await owner.sender.round():
        pass
    assert await world.states() == {"accepted": len(PEOPLE)}
    assert sorted(server.accepted().values()) == [1] * len(PEOPLE)


async def test_lanes_that_come_back_before_the_batch_ends_do_not_go_on_under_the_old_claim(
    world: World, server: MailServer
) -> None:
    owner, sending = await sending_the_first_of_all(world, server)
    await world.claim(owner)
    server.released.set()
    await sending
    assert len(server.journal) == 1
    assert await world.states() == {"accepted": 1, "retry_wait": len(PEOPLE) - 1}


async def test_answers_of_lanes_that_went_to_another_are_forgotten(world: World, server: MailServer) -> None:
    owner, sending = await sending_the_first_of_all(world, server)
    owner.claims.replace({})
    server.released.set()
    await sending
    await world.claim(owner, (1,))
    await owner.sender.round()
    await world.claim(owner)
    await owner.sender.round()
    assert await world.states() == {"unknown": len(PEOPLE)}
    assert len(server.journal) == 1


async def test_a_claim_in_doubt_says_nothing_of_what_another_sent_meanwhile(world: World, server: MailServer) -> None:
    planner = await world.owner()
    await world.read(planner, customer(record()), change())
    doubtful = await world.owner(failpoints=ArmedFailpoints((parse_rule("engagement.before_commit=raise:OSError@2"),)))
    with pytest.raises(OSError, match="failpoint"):
        await doubtful.sender.round()
    server.script["c1@example.com"] = [HOLD]
    other = await world.owner()
    sending = asyncio.create_task(other.sender.round())
    await asyncio.wait_for(server.arrived.wait(), 10)
    await world.claim(doubtful)
    await doubtful.sender.round()
    server.released.set()
    with pytest.raises(FencedError):
        await sending
    while await doubtful.sender.round():
        pass
    assert await world.states() == {"unknown": 1}
    assert list(server.accepted().values()) == [1]


async def test_consent_withdrawn_while_a_batch_takes_long_stops_the_rest_of_it(
    world: World, server: MailServer
) -> None:
    owner, sending = await sending_the_first_of_all(world, server)
    (first,) = (int(mail["To"].removeprefix("c").removesuffix("@example.com")) for mail in server.journal)
    withdrawn = next(n for n in PEOPLE if n != first)
    await world.read(owner, customer(record(withdrawn, consent=WITHDRAWN), version=2, number=withdrawn))
    world.clock.at += timedelta(seconds=11)
    server.released.set()
    await sending
    assert len(server.journal) == 1
    while await owner.sender.round():
        pass
    assert await world.states() == {"accepted": len(PEOPLE) - 1, "consent_withdrawn": 1}
    assert f"c{withdrawn}@example.com" not in [mail["To"] for mail in server.journal]
    assert owner.claims.lanes == frozenset(LANES)
