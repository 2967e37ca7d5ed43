"""`rapport customers explain`: every link with the event or the decision behind it, and what was left out, and why."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.profile.cli.customers import app
from tests.integration.services.profile.test_deciding import clock, done, worker
from tests.integration.services.profile.test_postgres_customers import commit
from tests.property.services.profile.strategies import SECRET, START, interaction, record

__all__ = ["clock"]

Ask = Callable[..., Awaitable[Result]]
VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
LATER = START + timedelta(days=1)
ALIAS: tuple[str, str, object] = ("Alias Requested", "alias", {})
U1, U2, EVA, COOKIE, KIOSK = (
    ("user_id", "u-1"),
    ("user_id", "u-2"),
    ("email", "eva@example.com"),
    ("anonymous_id", "an-1"),
    ("anonymous_id", "kiosk"),
)


@pytest.fixture
async def ask(connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Let two people share an address and a device, and give a way to ask."""
    said = [
        ("m-1", VIEWED, (U1, EVA)),
        ("m-2", ALIAS, (U1, COOKIE)),
        ("m-3", VIEWED, (U2, EVA)),
        ("m-4", VIEWED, (U1, KIOSK)),
        ("m-5", VIEWED, (U2, KIOSK)),
        ("m-6", ALIAS, (U1, U2)),
    ]
    events = [
        interaction(
            name, what, who, occurred_at=START + timedelta(minutes=number), received_at=START + timedelta(days=1)
        )
        for number, (name, what, who) in enumerate(said)
    ]
    await commit(worker(), connection, [record(event) for event in events])
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())
    monkeypatch.setenv("COLUMNS", "250")

    def asked(*arguments: str) -> Awaitable[Result]:
        return asyncio.to_thread(CliRunner().invoke, app, arguments)

    return asked


async def explained(ask: Ask, who: str) -> dict[str, Any]:
    answer = await ask("explain", who, "--json")
    assert answer.exit_code == 0, answer.output
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def pair(link: dict[str, Any]) -> set[str]:
    return {link["one"]["value"], link["other"]["value"]}


async def test_each_link_says_which_event_made_it_and_what_was_left_out_says_why(ask: Ask) -> None:
    found = await explained(ask, "user_id:u-1")
    held = {frozenset(pair(link)): link for link in found["held"]}
    assert held.keys() == {frozenset({"u-1", "eva@example.com"}), frozenset({"u-1", "an-1"})}
    event = held[frozenset({"u-1", "eva@example.com"})]["event"]
    assert (event["message_id"], event["name"], event["source"]) == ("m-1", "Product Viewed", "shop")
    assert held[frozenset({"u-1", "an-1"})]["reason"] == "alias"
    left = {frozenset(pair(link)): link for link in found["left_out"]}
    over = left[frozenset({"u-2", "eva@example.com"})]
    assert (over["why"], over["limit"], over["event"]["message_id"]) == ("over_limit", "user_id", "m-3")
    assert over["words"] == "together they would have more than 1 of user_id"
    assert left[frozenset({"u-1", "kiosk"})]["why"] == "other_signed_in"
    asked_for = left[frozenset({"u-1", "u-2"})]
    assert (asked_for["why"], asked_for["limit"], asked_for["event"]["name"]) == ("over_limit", "user_id", ALIAS[0])


@pytest.mark.usefixtures("clock")
async def test_decisions_stand_beside_the_events_that_they_overrule(ask: Ask) -> None:
    merged = await done(ask, "merge", "user_id:u-1", "user_id:u-2", "--why", "twins by mistake")
    found = await explained(ask, "user_id:u-2")
    by_hand = next(link for link in found["held"] if link["reason"] == "decision")
    assert (by_hand["decision"]["id"], by_hand["decision"]["why"]) == (merged["id"], "twins by mistake")
    await done(ask, "unmerge", "user_id:u-1", "anonymous_id:an-1")
    blocked = await done(ask, "block", "anonymous_id:kiosk")
    left = {frozenset(pair(link)): link for link in (await explained(ask, "user_id:u-2"))["left_out"]}
    apart, closed = left[frozenset({"u-1", "an-1"})], left[frozenset({"u-2", "kiosk"})]
    assert (apart["why"], apart["decision"]["kind"], apart["event"]["message_id"]) == ("kept_apart", "unmerge", "m-2")
    assert (closed["why"], closed["decision"]["id"]) == ("blocked", blocked["id"])


async def test_people_get_tables_and_who_is_alone_is_told_so(ask: Ask, connection: AsyncConnection) -> None:
    shown = await ask("explain", "email:eva@example.com")
    assert shown.exit_code == 0, shown.output
    for words in (
        "What holds them together",
        "Product Viewed m-1",
        "What was left out",
        "more than 1 of",
    ):
        assert words in shown.stdout
    await commit(worker(), connection, [record(interaction("m-9", VIEWED, (("user_id", "u-9"),)))])
    alone = await ask("explain", "user_id:u-9")
    assert "No link holds it: it is one identity." in alone.stdout
    assert (await ask("explain", "user_id:nobody")).exit_code == 1
