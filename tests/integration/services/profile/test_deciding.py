"""`rapport customers merge` and its kin: looked at, asked for, applied by the clock, audited, and undone."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.cli.customers import app
from shared.contracts.identities import identity_id
from shared.runtime import due
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.test_postgres_customers import commit
from tests.property.services.profile.strategies import SECRET, interaction, record
from tests.unit.services.profile.in_memory import new_handler, ring

Ask = Callable[..., Awaitable[Result]]
ORDER = ("Order Completed", "order", {"total": {"amount": "35.50", "currency": "EUR"}})
EVA = (("user_id", "u-1"), ("email", "eva@example.com"))
E1 = identity_id(SECRET, "email", "eva@example.com")
U1, U2 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2"))


@pytest.fixture
async def ask(connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Put two customers and a device there, and give a way to decide about them."""
    said = [
        interaction("m-1", ("Identify", "identify", {"traits": {"city": "Wien"}}), EVA),
        interaction("m-2", ORDER, EVA),
        interaction("m-3", ("Product Viewed", "browse", {"product_id": "p"}), (("anonymous_id", "an-1"),)),
        interaction("m-4", ORDER, (("user_id", "u-1"), ("anonymous_id", "an-1"))),
        interaction("m-5", ("Identify", "identify", {"traits": {"city": "Graz"}}), (("user_id", "u-2"),)),
        interaction("m-6", ORDER, (("user_id", "u-2"), ("anonymous_id", "an-2"))),
    ]
    await commit(worker(), connection, [record(event) for event in said])
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())
    monkeypatch.setenv("COLUMNS", "200")

    def asked(*arguments: str, answer: str | None = None) -> Awaitable[Result]:
        return asyncio.to_thread(CliRunner().invoke, app, arguments, answer)

    return asked


def worker() -> Any:
    return new_handler(PostgresCustomers(NullFailpoints()))


@pytest.fixture
async def clock(database_url: str) -> AsyncIterator[None]:
    """Let a worker of profile do what falls due, as the runtime's ticker does."""

    async def tick(connection: AsyncConnection) -> None:
        while True:
            async with connection.transaction():
                now = datetime.now(UTC)
                fired = await due.take(connection, dict.fromkeys(range(4), now), 100)
                if fired:
                    await ring(worker(), [one.key for one in fired], connection)
            await asyncio.sleep(0.02)

    async with await AsyncConnection.connect(database_url, options=OPTIONS) as opened:
        ticking = asyncio.create_task(tick(opened))
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


async def shown(ask: Ask, who: str) -> dict[str, Any]:
    """Return everything that is told of a customer but version and audit, its timeline with it."""
    found = await ask("show", who, "--json")
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    timeline = json.loads((await ask("timeline", who, "--json")).stdout)
    return {**{key: value for key, value in document.items() if key not in ("version", "audit")}, "timeline": timeline}


async def done(ask: Ask, *arguments: str) -> dict[str, Any]:
    """Decide, and return what the command says."""
    decided = await ask(*arguments, "--yes", "--json")
    assert decided.exit_code == 0, decided.output
    document: dict[str, Any] = json.loads(decided.stdout)
    assert document["applied"] is not None
    return document


@pytest.mark.usefixtures("clock")
async def test_a_merge_that_is_undone_leaves_no_trace_but_in_version_and_audit(ask: Ask) -> None:
    before = [await shown(ask, who) for who in ("user_id:u-1", "user_id:u-2")]
    merged = await done(ask, "merge", "user_id:u-1", "user_id:u-2", "--why", "one passport")
    elder = merged["applied"]["after"][U1]
    assert merged["applied"]["before"] == {U1: U1, U2: U2}
    assert merged["applied"]["after"] == {U1: elder, U2: elder}
    assert merged["preview"]["exceeded"] == [{"customer_id": elder, "kind": "user_id", "count": 2, "limit": 1}]
    one = await shown(ask, "user_id:u-1")
    assert one["customer"] == (await shown(ask, "user_id:u-2"))["customer"]
    assert one["customer"]["orders"]["count"] == 3
    assert len(one["timeline"]["activities"]) == 6
    undone = await done(ask, "unmerge", "user_id:u-2")
    assert undone["preview"]["undoes"] == merged["id"]
    assert [await shown(ask, who) for who in ("user_id:u-1", "user_id:u-2")] == before
    audit = json.loads((await ask("show", "user_id:u-2", "--json")).stdout)["audit"]
    assert [(entry["kind"], entry["why"]) for entry in audit] == [("unmerge", ""), ("merge", "one passport")]


@pytest.mark.usefixtures("clock")
async def test_what_events_linked_is_unmerged_by_its_two_ends(ask: Ask) -> None:
    undone = await done(ask, "unmerge", "user_id:u-1", "email:eva@example.com")
    assert undone["preview"]["undoes"] is None
    assert undone["applied"]["after"] == {U1: U1, E1: E1}
    kinds = {one["kind"] for one in (await shown(ask, "user_id:u-1"))["customer"]["identities"]}
    assert kinds == {"user_id", "anonymous_id"}


@pytest.mark.usefixtures("clock")
async def test_who_is_split_off_stays_off(ask: Ask, connection: AsyncConnection) -> None:
    await done(ask, "split", "user_id:u-1", "anonymous_id:an-1")
    again = interaction("m-9", ORDER, (("user_id", "u-1"), ("anonymous_id", "an-1")))
    await commit(worker(), connection, [record(again)])
    kinds = {one["kind"] for one in (await shown(ask, "user_id:u-1"))["customer"]["identities"]}
    assert kinds == {"user_id", "email"}
    assert len((await shown(ask, "anonymous_id:an-1"))["timeline"]["activities"]) == 1


@pytest.mark.usefixtures("clock")
async def test_a_split_parts_what_was_merged_by_hand_too(ask: Ask) -> None:
    before = [await shown(ask, who) for who in ("user_id:u-1", "user_id:u-2")]
    await done(ask, "merge", "user_id:u-1", "user_id:u-2")
    parted = await done(ask, "split", "user_id:u-1", "user_id:u-2", "anonymous_id:an-2")
    assert parted["preview"]["parted"] is True
    assert [await shown(ask, who) for who in ("user_id:u-1", "user_id:u-2")] == before


@pytest.mark.usefixtures("clock")
async def test_a_block_parts_and_its_end_links_again(ask: Ask) -> None:
    before = await shown(ask, "user_id:u-1")
    await done(ask, "block", "anonymous_id:an-1", "--why", "a kiosk")
    assert len((await shown(ask, "user_id:u-1"))["customer"]["identities"]) == 2
    assert (await ask("merge", "anonymous_id:an-1", "user_id:u-2", "--yes")).exit_code == 1
    assert (await ask("block", "anonymous_id:an-1", "--yes")).exit_code == 1
    await done(ask, "unblock", "anonymous_id:an-1")
    assert await shown(ask, "user_id:u-1") == before


async def test_a_look_changes_nothing_and_says_what_would_be(ask: Ask, connection: AsyncConnection) -> None:
    looked = await ask("merge", "user_id:u-1", "user_id:u-2", "--dry-run")
    assert looked.exit_code == 0, looked.output
    assert "After this merge" in looked.stdout
    assert "Over a limit" in looked.stderr
    refused = await ask("merge", "user_id:u-1", "user_id:u-2", answer="n\n")
    assert (refused.exit_code, "Nothing was decided." in refused.stderr) == (1, True)
    unasked = await ask("merge", "user_id:u-1", "user_id:u-2", answer="")
    assert (unasked.exit_code, "Give --yes." in unasked.stderr) == (2, True)
    cursor = await connection.execute("SELECT (SELECT count(*) FROM decisions), (SELECT count(*) FROM due)")
    assert await cursor.fetchall() == [(0, 0)]


async def test_without_a_worker_a_decision_waits_and_says_so(ask: Ask, connection: AsyncConnection) -> None:
    waiting = await ask("merge", "user_id:u-1", "user_id:u-2", "--yes", "--wait", "0")
    assert waiting.exit_code == 1
    assert "is written down and not applied yet: no worker of profile is connected" in waiting.stderr
    listed = json.loads((await ask("decisions", "--json")).stdout)
    assert [(one["kind"], one["applied_at"]) for one in listed] == [("merge", None)]
    await connection.commit()
    fired = await due.take(connection, dict.fromkeys(range(4), datetime.now(UTC)), 100)
    keys = [one.key for one in fired]
    await ring(worker(), keys, connection)
    # The clock may bring it once more: the worker died before COMMIT, or its tick was redone.
    assert (await ring(worker(), keys, connection)).rows.graph is None
    await connection.commit()
    assert json.loads((await ask("decisions", "user_id:u-1", "--json")).stdout)[0]["applied_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("merge", "user_id:u-1", "email:eva@example.com"), 1, "one customer already"),
        (("merge", "user_id:u-1", "nobody"), 2, "names nobody"),
        (("merge", "user_id:u-1", "user_id:u-1"), 2, "the same identity"),
        (("merge", "user_id:u-1", "user_id:nobody"), 1, "Nobody was seen with"),
        (("unmerge", "user_id:u-1", "user_id:u-2"), 1, "two customers already"),
        (("unmerge", "user_id:u-1"), 1, "Nobody merged this customer"),
        (("unmerge", "anonymous_id:an-1", "email:eva@example.com"), 1, "No event named them together"),
        (("unmerge",), 2, "Name one or two"),
        (("unmerge", "--decision", "x"), 2, "expected the 32 digits"),
        (("unmerge", "--decision", "0" * 32), 1, "There is no merge"),
        (("split", "user_id:u-1", "user_id:u-2"), 1, "not that customer's"),
        (("split", "email:eva@example.com", "user_id:u-1", "anonymous_id:an-1", E1), 2, "the same identity"),
        (("split", "user_id:u-2", "anonymous_id:an-2", "--why", "a\nb"), 2, "printable"),
        (("unblock", "user_id:u-1"), 1, "not blocked already"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    ask: Ask, connection: AsyncConnection, arguments: tuple[str, ...], code: int, words: str
) -> None:
    refused = await ask(*arguments, "--yes")
    assert (refused.exit_code, words in refused.stderr) == (code, True), refused.output
    assert await (await connection.execute("SELECT count(*) FROM decisions")).fetchall() == [(0,)]


async def test_decisions_are_append_only(ask: Ask, connection: AsyncConnection) -> None:
    await ask("merge", "user_id:u-1", "user_id:u-2", "--yes", "--wait", "0")
    for change in ("UPDATE decisions SET why = 'else'", "DELETE FROM decisions_applied", "TRUNCATE decisions CASCADE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(change)
        await connection.rollback()
