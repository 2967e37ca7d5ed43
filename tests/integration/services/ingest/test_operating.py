"""What is done about refused events, on a real PostgreSQL: mended, replayed, refused again, discarded, audited."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from services.ingest.domain.reading import Reader
from services.ingest.domain.sources import Source
from services.ingest.quarantine import replays, sending
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.discarding import discard
from services.ingest.quarantine.fixing import Mode, Origin
from services.ingest.quarantine.looking import Wanted, listed, shown, summary
from services.ingest.quarantine.replays import ReplayState
from services.ingest.quarantine.selecting import Named, OfCause
from services.ingest.quarantine.sending import AlreadyRunning
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.operating import (
    ACTOR,
    Letterbox,
    begun,
    mend,
    operator,
    read_by_ingest,
    replay,
    states,
)
from tests.unit.services.ingest.records import APPENDED, READER, order, raw, track

TOTAL = {"op": "replace", "path": "/properties/total", "value": 12.5}
PAUSED = Reader(READER.identities, lambda name: Source(name, "web", paused=True))


@pytest.fixture
def operating(database_url: str) -> Iterator[Connection]:
    with operator(database_url) as connection:
        yield connection


async def refused(connection: AsyncConnection, count: int = 1, first: int = 0) -> None:
    records = [raw(order(total="a lot") | {"messageId": f"m-{n}"}, offset=n) for n in range(first, first + count)]
    await feed(connection, records)


def cause(operating: Connection) -> str:
    (one,) = summary(operating)
    return str(one["group"])


async def test_what_is_wrong_in_the_same_way_is_one_cause(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection, 3)
    await feed(connection, [raw(b"?", offset=8)], APPENDED + timedelta(hours=1))
    await feed(connection, [raw(order(total="x"), offset=9)], APPENDED + timedelta(hours=2))
    most, other = summary(operating)
    assert {name: most[name] for name in ("events", "open", "fixed", "replaying", "source", "event", "path")} == {
        "events": 4,
        "open": 4,
        "fixed": 0,
        "replaying": 0,
        "source": "unknown",
        "event": "Order Completed",
        "path": "/properties/total",
    }
    assert (most["first_seen"], most["last_seen"]) == (APPENDED, APPENDED + timedelta(hours=2))
    assert (most["reason"], most["expected"], most["found"]) == ("not_a_number", "a number", "string")
    assert shown(operating, most["example"]) is not None
    assert (other["events"], other["reason"]) == (1, "not_json")


async def test_a_dry_run_changes_nothing_and_tells_before_and_after(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 2)
    await feed(connection, [raw(order(total="x", currency=1), offset=7)])
    before = states(operating)
    report = mend(operating, cause(operating), TOTAL, mode=Mode.DRY_RUN)
    assert (report.entries, report.accepted, report.failing) == (3, 2, 1)
    (still,) = report.still_bad.values()
    assert (still.events, still.problem.path, still.problem.reason.value) == (1, "/properties/currency", "wrong_type")
    first = report.examples[0]
    assert json.loads(first.before or b"")["properties"]["total"] == "a lot"
    assert json.loads(first.after or b"")["properties"]["total"] == 12.5
    assert [example.then is None for example in report.examples] == [True, True, False]
    assert states(operating) == before
    assert operating.execute("SELECT count(*) FROM audit").fetchone() == (0,)


async def test_a_fix_is_kept_beside_the_original(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection)
    mend(operating, cause(operating), TOTAL)
    (row,) = listed(operating, Wanted(state="fixed"), 10)
    found = shown(operating, row["id"])
    assert found is not None
    assert json.loads(found["original"])["properties"] == {"total": "a lot"}
    assert json.loads(found["mended"])["properties"] == {"total": 12.5}
    assert found["mended_headers"] == []


async def test_what_is_still_wrong_goes_to_its_new_cause_and_is_mended_from_there(
    connection: AsyncConnection, operating: Connection
) -> None:
    await feed(connection, [raw(order(total="x", currency=1))])
    first = cause(operating)
    assert mend(operating, first, TOTAL).failing == 1
    second = cause(operating)
    assert second != first
    assert mend(operating, second, {"op": "replace", "path": "/properties/currency", "value": "EUR"}).accepted == 1
    letters = Letterbox()
    await replay(operating, letters)
    (accepted,) = await read_by_ingest(connection, letters)
    assert json.loads(bytes(accepted.payload))["total"] == {"amount": "12.5", "currency": "EUR"}
    assert summary(operating) == []


async def test_a_fix_can_begin_again_from_what_was_sent(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection)
    group = cause(operating)
    mend(operating, group, {"op": "replace", "path": "/properties", "value": {"total": 1}})
    assert mend(operating, group, TOTAL, origin=Origin.ORIGINAL, mode=Mode.DRY_RUN).accepted == 1
    assert mend(operating, group, {"op": "test", "path": "/properties/total", "value": "a lot"}).accepted == 0
    report = mend(
        operating, group, {"op": "test", "path": "/properties/total", "value": "a lot"}, TOTAL, origin=Origin.ORIGINAL
    )
    assert report.accepted == 1


async def test_what_a_patch_does_not_fit_stays_as_it_is(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection)
    before = states(operating)
    report = mend(operating, cause(operating), {"op": "remove", "path": "/nothing/there"})
    assert (report.accepted, report.unmended.total()) == (0, 1)
    assert states(operating) == before


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
    await feed(connection, [raw({"batch": [track(), {"type": "burn"}], "sentAt": "noon"})])
    mend(operating, cause(operating), {"op": "remove", "path": "/sentAt"})
    letters = Letterbox()
    await replay(operating, letters)
    assert len(await read_by_ingest(connection, letters)) == 1
    assert [(state, path) for _, state, _, path, _ in states(operating)] == [("replayed", "/sentAt"), ("open", "/type")]


async def test_what_is_discarded_is_open_no_more_and_keeps_its_bytes(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 3)
    numbers = [row[0] for row in states(operating)]
    assert discard(operating, Named((numbers[0],)), "sent by mistake", ACTOR) == 1
    assert [one["events"] for one in summary(operating)] == [2]
    assert discard(operating, OfCause(cause(operating)), "load test", ACTOR) == 2
    assert summary(operating) == []
    found = shown(operating, numbers[0])
    assert found is not None
    assert (found["state"], found["discard_reason"]) == ("discarded", "sent by mistake")
    assert found["original"]
    assert discard(operating, Named(tuple(numbers)), "again", ACTOR) == 0
    assert (await replay(operating, Letterbox(), again=True)).total == 0


async def test_every_change_is_audited_with_who_and_what_and_no_value(
    connection: AsyncConnection, operating: Connection
) -> None:
    await refused(connection, 2)
    group, (first, second) = cause(operating), [row[0] for row in states(operating)]
    mend(operating, group, TOTAL)
    progress = await replay(operating, Letterbox(), Named((first,)))
    discard(operating, Named((second,)), "enough", ACTOR)
    rows = operating.execute("SELECT actor, action, subject, entries, detail FROM audit ORDER BY id").fetchall()
    assert rows == [
        (
            *(ACTOR, "quarantine.fix", group, [first, second]),
            {"patch": [{"op": "replace", "path": "/properties/total"}], "origin": "mended", "fixed": 2},
        ),
        (ACTOR, "quarantine.replay", "entries", [first], {"replay": progress.id}),
        (ACTOR, "quarantine.discard", "entries", [second], {"reason": "enough"}),
    ]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"])
def test_the_audit_only_grows(operating: Connection, statement: str) -> None:
    note(operating, ACTOR, Action.READ, "entries", [1])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        operating.execute(statement)
