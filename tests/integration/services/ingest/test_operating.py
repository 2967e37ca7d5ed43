"""What is done about refused events, on a real PostgreSQL: by cause, mended, discarded, audited."""

import json
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from services.ingest.quarantine import selecting
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.discarding import discard
from services.ingest.quarantine.fixing import Mode, Origin
from services.ingest.quarantine.looking import Wanted, listed, shown, summary
from services.ingest.quarantine.selecting import Named, OfCause
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.operating import (
    ACTOR,
    TOTAL,
    Letterbox,
    cause,
    mend,
    read_by_ingest,
    refused,
    replay,
    states,
)
from tests.unit.services.ingest.records import APPENDED, order, raw


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


async def test_a_cause_of_several_pages_is_discarded_whole_and_each_page_is_audited(
    connection: AsyncConnection, operating: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "PAGE_ENTRIES", 2)
    await refused(connection, 5)
    numbers = [row[0] for row in states(operating)]
    assert discard(operating, OfCause(cause(operating)), "load test", ACTOR) == 5
    assert summary(operating) == []
    pages = operating.execute("SELECT entries FROM audit ORDER BY id").fetchall()
    assert pages == [(numbers[:2],), (numbers[2:4],), (numbers[4:],)]


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
