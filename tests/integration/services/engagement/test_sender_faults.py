"""Whatever happens to a sender, no mail is accepted twice, and what nobody knows is shown as unknown (I7)."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest

from services.engagement.adapters.smtp import MailServerUnreachableError
from shared.runtime.errors import FencedError
from shared.runtime.failpoints import ArmedFailpoints, parse_rule
from tests.integration.services.engagement.mail_server import HANG, MailServer, mail_server
from tests.integration.services.engagement.world import World
from tests.unit.services.engagement.records import change, customer, record

PROGRAM = Path(__file__).with_name("sender_program.py")
ROOT = PROGRAM.parents[4]
PEOPLE = range(1, 8)

Spawn = Callable[[str], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
def spawn(database_url: str, server: MailServer) -> Spawn:
    async def start(failpoints: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            database_url,
            str(server.port),
            env={"CRM_FAILPOINTS": failpoints, "PYTHONPATH": str(ROOT)},
        )

    return start


async def plan(world: World) -> None:
    """Plan a mail to each of some people; whoever plans has no lanes any more afterwards."""
    planner = await world.owner()
    await world.read(planner, *(customer(record(n)) for n in PEOPLE), *(change(n) for n in PEOPLE))


@pytest.mark.parametrize(
    ("failpoint", "mails"),
    [
        ("engagement.after_commit=kill@2", 0),  # written down as being sent, none sent
        ("engagement.before_commit=kill@3", len(PEOPLE)),  # all sent, no answer written down
    ],
)
async def test_a_sender_killed_while_sending_leaves_unknown_and_nobody_sends_again(
    world: World, server: MailServer, spawn: Spawn, failpoint: str, mails: int
) -> None:
    await plan(world)
    process = await spawn(failpoint)
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    assert await world.states() == {"sending": len(PEOPLE)}
    successor = await world.owner()
    assert await successor.sender.round() == 0
    assert await world.states() == {"unknown": len(PEOPLE)}
    assert (await world.announced())["message.unresolved.v1"] == len(PEOPLE)
    assert await successor.sender.round() == 0
    assert sorted(server.accepted().values()) == [1] * mails


async def test_a_sender_killed_before_it_wrote_anything_down_is_replaced_without_loss(
    world: World, server: MailServer, spawn: Spawn
) -> None:
    await plan(world)
    process = await spawn("engagement.before_commit=kill@2")
    assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
    assert await world.states() == {"planned": len(PEOPLE)}
    await (await world.owner()).sender.round()
    assert await world.states() == {"accepted": len(PEOPLE)}
    assert sorted(server.accepted().values()) == [1] * len(PEOPLE)


async def test_a_sender_that_stood_still_while_its_lanes_went_on_repeats_nothing(
    world: World, server: MailServer, spawn: Spawn
) -> None:
    await plan(world)
    process = await spawn("engagement.after_commit=stop:3s@2")
    while await world.states() != {"sending": len(PEOPLE)}:  # noqa: ASYNC110 - a row that another process writes
        await asyncio.sleep(0.02)
    successor = await world.owner()
    await successor.sender.round()
    assert await world.states() == {"unknown": len(PEOPLE)}
    assert await asyncio.wait_for(process.wait(), 30) == 3  # fenced
    assert await successor.sender.round() == 0
    assert await world.states() == {"unknown": len(PEOPLE)}
    assert set(server.accepted().values()) <= {1}


async def test_an_answer_that_comes_after_the_lanes_were_lost_changes_nothing(world: World, server: MailServer) -> None:
    server.script["c1@example.com"] = [HANG]
    zombie = await world.owner()
    await world.read(zombie, customer(record()), change())
    sending = asyncio.create_task(zombie.sender.round())
    await asyncio.wait_for(server.arrived.wait(), 10)
    successor = await world.owner()
    await successor.sender.round()
    with pytest.raises(FencedError):
        await sending
    await world.claim(zombie)
    await zombie.sender.round()
    assert await world.states() == {"unknown": 1}
    assert list(server.accepted().values()) == [1]


async def test_lanes_that_are_held_no_more_are_not_sent_for(world: World, server: MailServer) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change(), customer(record(2), lane=1), change(2, lane=1))
    await world.claim(owner, (1,))
    await owner.sender.round()
    assert [mail["To"] for mail in server.journal] == ["c2@example.com"]


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
async def test_a_commit_that_fails_before_the_first_mail_is_tried_again(
    world: World, server: MailServer, point: str
) -> None:
    await plan(world)
    owner = await world.owner(failpoints=ArmedFailpoints((parse_rule(f"engagement.{point}=raise:OSError@2"),)))
    with pytest.raises(OSError, match="failpoint"):
        await owner.sender.round()
    assert server.journal == []
    while await world.states() != {"accepted": len(PEOPLE)}:
        await owner.sender.round()
        world.clock.at = world.clock.at.replace(minute=world.clock.at.minute + 1)
    assert sorted(server.accepted().values()) == [1] * len(PEOPLE)


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
async def test_answers_that_could_not_be_written_are_written_by_the_next_round(
    world: World, server: MailServer, point: str
) -> None:
    await plan(world)
    owner = await world.owner(failpoints=ArmedFailpoints((parse_rule(f"engagement.{point}=raise:OSError@3"),)))
    with pytest.raises(OSError, match="failpoint"):
        await owner.sender.round()
    assert await owner.sender.round() == 0
    assert await world.states() == {"accepted": len(PEOPLE)}
    assert sorted(server.accepted().values()) == [1] * len(PEOPLE)


async def test_a_database_that_ends_our_connections_costs_no_mail(world: World, server: MailServer) -> None:
    await plan(world)
    owner = await world.owner()
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    async with world.pool.connection() as connection:
        await connection.execute(others, (connection.info.backend_pid,))
    accepted = False
    while not accepted:
        try:
            await owner.sender.round()
            accepted = await world.states() == {"accepted": len(PEOPLE)}
        except psycopg.OperationalError:
            await asyncio.sleep(0)
    assert sorted(server.accepted().values()) == [1] * len(PEOPLE)


async def test_a_mail_server_that_is_down_leaves_messages_planned_until_it_is_back(world: World) -> None:
    async with mail_server() as away:
        world.smtp_port = away.port
    await plan(world)
    owner = await world.owner()
    with pytest.raises(MailServerUnreachableError, match="check CRM_ENGAGEMENT_SMTP_URL"):
        await owner.sender.round()
    assert await world.states() == {"planned": len(PEOPLE)}
    async with mail_server(world.smtp_port) as back:
        await owner.sender.round()
        assert sorted(back.accepted().values()) == [1] * len(PEOPLE)


async def test_a_mail_server_that_was_restarted_is_found_again(world: World) -> None:
    owner = None
    for person in (1, 2):
        async with mail_server(world.smtp_port if person == 2 else 0) as running:
            world.smtp_port = running.port
            owner = owner or await world.owner()
            await world.read(owner, customer(record(person)), change(person))
            await owner.sender.round()
            assert list(running.accepted().values()) == [1]
