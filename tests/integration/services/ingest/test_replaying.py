"""Replays on a real PostgreSQL: stopped, killed, sent twice, refused again, and never more than one event."""

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection, Connection

from services.ingest.quarantine import replays, sending
from services.ingest.quarantine.looking import summary
from services.ingest.quarantine.replays import ReplayState
from services.ingest.quarantine.selecting import Named
from services.ingest.quarantine.sending import AlreadyRunning
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.operating import (
    ACTOR,
    PAUSED,
    TOTAL,
    Letterbox,
    begun,
    cause,
    mend,
    operator,
    read_by_ingest,
    refused,
    replay,
    states,
)
from tests.unit.services.ingest.records import READER, order, raw, track


async def test_what_is_mended_and_replayed_leaves_an_empty_summary(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 1200)
    assert mend(operating, cause(operating), TOTAL).accepted == 1200
    letters = Letterbox()
    progress = await replay(operating, letters)
    assert (progress.total, progress.sent, progress.waiting, progress.still_bad) == (1200, 1200, 1200, 0)
    assert [one["replaying"] for one in summary(operating)] == [1200]
    accepted = await read_by_ingest(connection, letters)
    assert sorted(one.message_id for one in accepted) == sorted(f"m-{n}" for n in range(1200))
    assert summary(operating) == []
    after = replays.progress(operating, progress.id)
    assert after is not None
    assert (after.accepted, after.waiting, after.refused) == (1200, 0, 0)


async def test_what_would_be_refused_again_is_not_sent(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection, 2)
    letters = Letterbox()
    progress = await replay(operating, letters)
    assert (progress.total, progress.sent, progress.still_bad, letters.sent) == (2, 0, 2, [])
    assert [state for _, state, *_ in states(operating)] == ["open", "open"]


async def test_a_paused_source_s_events_are_replayed_without_a_fix(
    connection: AsyncConnection, operating: Connection
) -> None:
    await feed(connection, [raw(track(), [("source", b"web-shop")])], reader=PAUSED)
    letters = Letterbox()
    assert (await replay(operating, letters, reader=PAUSED)).still_bad == 1
    assert (await replay(operating, letters)).sent == 1
    assert len(await read_by_ingest(connection, letters)) == 1
    assert summary(operating) == []


async def test_a_replay_that_stops_after_a_page_goes_on_with_the_next(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 1200)
    mend(operating, cause(operating), TOTAL)
    letters = Letterbox()
    job = begun(operating)
    done: list[int] = []
    assert await sending.run(job, letters, stopping=lambda: bool(done), notify=done.append) is ReplayState.STOPPED
    assert done == [500]
    assert len(letters.sent) == 500
    progress = await replay(operating, letters)
    assert (progress.total, progress.sent) == (700, 700)
    assert len(await read_by_ingest(connection, letters)) == 1200
    assert summary(operating) == []


async def test_a_replay_that_loses_an_acknowledgement_sends_that_page_again_and_it_is_one_event(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 600)
    mend(operating, cause(operating), TOTAL)
    letters = Letterbox(fail_after=0)
    with pytest.raises(OSError, match="no acknowledgement"):
        await sending.run(begun(operating), letters)
    await read_by_ingest(connection, letters)
    again = Letterbox()
    progress = await replay(operating, again)
    assert progress.total == 100, "what ingest has read meanwhile is settled"
    assert not {sent.message.value for sent in letters.sent} & {sent.message.value for sent in again.sent}
    # Without ingest in between both copies are there, and are one event by its key.
    await refused(connection, 5, first=2000)
    mend(operating, next(one["group"] for one in summary(operating) if one["open"]), TOTAL)
    lost, second = Letterbox(fail_after=0), Letterbox()
    with pytest.raises(OSError, match="no acknowledgement"):
        await sending.run(begun(operating), lost)
    await replay(operating, second)
    assert len(lost.sent) == len(second.sent) == 5
    one, other = await read_by_ingest(connection, lost), await read_by_ingest(connection, second, first_offset=5000)
    assert one == other
    assert [state for _, state, *_ in states(operating)[-5:]] == ["replayed"] * 5


async def test_a_replay_that_is_cancelled_lets_the_next_one_begin(
    connection: AsyncConnection, operating: Connection, database_url: str
) -> None:
    await refused(connection, 2)
    mend(operating, cause(operating), TOTAL)
    reached = asyncio.Event()

    class Stuck(Letterbox):
        async def produce(self, messages: Any) -> None:
            await super().produce(messages)
            reached.set()
            await asyncio.Event().wait()

    job = begun(operating)
    running = asyncio.create_task(sending.run(job, Stuck()))
    await reached.wait()
    with operator(database_url) as other:
        assert isinstance(sending.begin(other, READER, Named((1,)), ACTOR, 4), AlreadyRunning)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        stopped = replays.progress(operating, job.id)
        assert stopped is not None
        assert stopped.state == ReplayState.STOPPED
        assert (await replay(other, Letterbox())).sent == 2


async def test_a_killed_replay_s_turn_ends_with_its_connection(
    connection: AsyncConnection, operating: Connection, database_url: str
) -> None:
    await refused(connection)
    mend(operating, cause(operating), TOTAL)
    killed = operator(database_url)
    job = begun(killed)
    killed.close()
    assert (await replay(operating, Letterbox())).sent == 1
    abandoned = replays.progress(operating, job.id)
    assert abandoned is not None
    assert abandoned.state == ReplayState.STOPPED


async def test_what_was_sent_is_sent_again_only_when_asked(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection)
    mend(operating, cause(operating), TOTAL)
    await replay(operating, Letterbox())
    assert (await replay(operating, Letterbox())).total == 0
    assert (await replay(operating, Letterbox(), again=True)).sent == 1


async def test_what_is_refused_again_opens_its_own_entry_with_the_new_cause(
    connection: AsyncConnection, operating: Connection
) -> None:
    await feed(connection, [raw(order(total="x"), [("source", b"web-shop")], offset=3)])
    ((number, *_),) = states(operating)
    mend(operating, cause(operating), TOTAL)
    letters = Letterbox()
    await replay(operating, letters)
    assert await read_by_ingest(connection, letters, PAUSED) == []
    assert [row[:4] for row in states(operating)] == [(number, "open", "source_paused", "")]
    await replay(operating, letters)
    assert len(await read_by_ingest(connection, letters, first_offset=5000)) == 2
    assert summary(operating) == []


async def test_a_late_copy_that_is_refused_does_not_open_what_was_accepted_or_mended_anew(
    connection: AsyncConnection, operating: Connection
) -> None:
    await feed(connection, [raw(order(total="x"), [("source", b"web-shop")], offset=n) for n in range(2)])
    group = cause(operating)
    mend(operating, group, TOTAL)
    letters = Letterbox()
    await replay(operating, letters)
    await read_by_ingest(connection, letters)
    await read_by_ingest(connection, letters, PAUSED, first_offset=5000)
    assert [state for _, state, *_ in states(operating)] == ["replayed", "replayed"]


async def test_a_ticket_that_nobody_gave_out_neither_settles_nor_opens_anything(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection)
    ((number, *_),) = states(operating)
    mend(operating, cause(operating), TOTAL)
    await replay(operating, Letterbox())
    forged = [("crm_replay", f"{number}:{'0' * 32}".encode())]
    await feed(connection, [raw(track(), forged, offset=50), raw(b"?", forged, offset=51)])
    assert [(state, reason) for _, state, reason, *_ in states(operating)] == [
        ("replaying", "not_a_number"),
        ("open", "not_json"),
    ]


async def test_a_batch_that_was_mended_whole_is_settled_and_each_bad_event_of_it_is_an_entry(
    connection: AsyncConnection, operating: Connection
) -> None:
    await feed(connection, [raw({"batch": [{"type": "burn"}, track()], "sentAt": "noon"})])
    mend(operating, cause(operating), {"op": "remove", "path": "/sentAt"})
    letters = Letterbox()
    await replay(operating, letters)
    assert len(await read_by_ingest(connection, letters)) == 1
    assert [(state, path) for _, state, _, path, _ in states(operating)] == [("replayed", "/sentAt"), ("open", "/type")]
