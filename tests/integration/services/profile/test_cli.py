"""`rapport customers`: one customer for people and for programs, and an answer in words for every wrong question."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.profile.adapters import postgres_timeline, search_terms
from services.profile.cli.customers import app
from shared.contracts.identities import identity_id
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import SECRET, START, interaction, record

Ask = Callable[..., Result]
EVA = (("user_id", "u-1"), ("email", "eva@example.com"))
U1, U2 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2"))


@pytest.fixture
async def ask(connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Put two customers there, and give a way to ask about them."""
    order = ("Order Completed", "order", {"total": {"amount": "35.50", "currency": "EUR"}})
    traits = ("Identify", "identify", {"traits": {"city": "[/red] Wien"}})
    consent = ("Consent Given", "consent", {"purpose": "marketing", "channel": "email"})
    shared_cookie = (("user_id", "u-2"), ("anonymous_id", "an-1"))
    said = [
        interaction("m-1", traits, EVA),
        interaction("m-2", order, (EVA[0], ("anonymous_id", "an-1"))),
        interaction("m-3", consent, EVA),
        interaction("m-4", order, shared_cookie),
    ]
    await commit(new_handler(), connection, [record(event) for event in said])
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:1")
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("who", [U1, U1.upper(), "user_id:u-1", "email:eva@example.com"])
async def test_a_customer_is_found_by_id_and_by_any_identifier(ask: Ask, who: str) -> None:
    shown = ask("show", who, "--json")
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert (document["version"], document["customer"]["customer_id"]) == ({"number": 3, "memberships": {}}, U1)
    assert document["audit"] == []
    assert document["customer"]["orders"]["revenue"] == [{"amount": "35.50", "currency": "EUR"}]


async def test_a_record_is_shown_to_people_as_a_table(ask: Ask) -> None:
    shown = ask("show", "user_id:u-1")
    assert shown.exit_code == 0, shown.output
    for text in ("eva@example.com", "[/red] Wien", "35.50", "given", "2026-01-31 23:59:00", "customer"):
        assert text in shown.stdout


async def test_people_see_money_with_two_decimals_and_programs_see_it_exact(
    ask: Ask, connection: AsyncConnection
) -> None:
    tenths = ("Order Completed", "order", {"total": {"amount": "139.5", "currency": "USD"}})
    await commit(new_handler(), connection, [record(interaction("m-5", tenths, (("user_id", "u-5"),)))])
    assert "139.50 " in ask("show", "user_id:u-5").stdout
    exact = json.loads(ask("show", "user_id:u-5", "--json").stdout)["customer"]["orders"]["revenue"]
    assert exact == [{"amount": "139.5", "currency": "USD"}]


async def test_a_timeline_shows_the_newest_first(ask: Ask) -> None:
    shown = ask("timeline", "user_id:u-1", "--json")
    assert shown.exit_code == 0, shown.output
    activities = json.loads(shown.stdout)["activities"]
    assert sorted(one["message_id"] for one in activities) == ["m-1", "m-2", "m-3"]
    times = [one["occurred_at"] for one in activities]
    assert times == sorted(times, reverse=True)
    assert {one["payload"]["total"]["amount"] for one in activities if one["family"] == "order"} == {"35.50"}
    table = ask("timeline", U1)
    assert "Order Completed" in table.stdout
    assert "[/red] Wien" in table.stdout


async def test_a_timeline_goes_on_at_its_cursor_and_keeps_to_a_family(ask: Ask) -> None:
    page = ask("timeline", U1, "--last", "2")
    cursor = page.stderr.rpartition("--cursor ")[2].strip()
    first, rest = (
        json.loads(ask("timeline", U1, "--last", "2", "--json", *more).stdout) for more in ((), ("--cursor", cursor))
    )
    assert first["next"] == cursor
    assert rest["next"] is None
    seen = [one["message_id"] for one in (*first["activities"], *rest["activities"])]
    assert sorted(seen) == ["m-1", "m-2", "m-3"]
    orders = json.loads(ask("timeline", U1, "--family", "order", "--json").stdout)["activities"]
    assert [one["message_id"] for one in orders] == ["m-2"]


async def test_an_id_that_another_customer_took_in_leads_there_and_says_so(ask: Ask) -> None:
    mail = identity_id(SECRET, "email", "eva@example.com")
    shown = ask("show", mail)
    assert f"{mail} is {U1} now." in shown.stderr
    document = json.loads(ask("show", mail, "--json").stdout)
    assert (document["redirected_from"], document["customer"]["customer_id"]) == (mail, U1)


async def test_what_was_said_of_a_trait_is_told_with_why_it_counts(ask: Ask) -> None:
    shown = ask("history", "user_id:u-1", "city")
    assert shown.exit_code == 0, shown.output
    for text in ("[/red] Wien", "shop", "m-1", "yes", "Said last, by event time."):
        assert text in shown.stdout
    (said,) = json.loads(ask("history", U1, "city", "--json").stdout)["said"]
    assert (said["value"], said["counts"], said["source"]) == ("[/red] Wien", True, "shop")
    nothing = ask("history", U1, "colour")
    assert (nothing.exit_code, "Nothing was said about 'colour'" in nothing.stderr) == (1, True)


async def test_a_trait_that_was_not_said_lately_is_told_with_how_far_was_looked_and_where_to_go_on(
    ask: Ask, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: Any = ("Identify", "identify", {"traits": {"plan": "pro"}})
    at = START + timedelta(days=1)
    await commit(new_handler(), connection, [record(interaction("m-9", later, EVA, occurred_at=at, received_at=at))])
    monkeypatch.setattr(postgres_timeline, "MOST_LOOKED_AT", 1)
    nothing = ask("history", "user_id:u-1", "city")
    words, _, cursor = nothing.stderr.rpartition(" --cursor ")
    assert nothing.exit_code == 1
    assert "in the newest 1 events that say traits" in words
    found = ask("history", "user_id:u-1", "city", "--cursor", cursor.strip())
    assert (found.exit_code, "Wien" in found.stdout, "--cursor" in found.stderr) == (0, True, False), found.output


async def test_customers_are_searched_and_what_cannot_be_found_yet_is_told(ask: Ask, database_url: str) -> None:
    early = ask("search", "eva@")
    assert early.exit_code == 0, early.output
    assert "4 changes cannot be found by yet" in early.stderr
    with psycopg.connect(database_url, options="-c search_path=profile") as connection:
        assert search_terms.draw(connection)
    found = ask("search", "EVA@example")
    assert (U1 in found.stdout, "cannot be found by" in found.stderr) == (True, False)
    (match,) = json.loads(ask("search", "eva@", "--json").stdout)["customers"]
    assert (match["customer_id"], match["matched"]) == (U1, "eva@example.com")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("search", " \0 "), "expected something that can be written"),
        (("search", "eva", "--cursor", "x"), "--cursor: expected a cursor"),
        (("timeline", U1, "--cursor", "x"), "--cursor: expected a cursor"),
    ],
)
async def test_what_cannot_be_asked_is_told_in_words(ask: Ask, command: tuple[str, ...], words: str) -> None:
    answer = ask(*command)
    assert (answer.exit_code, words in answer.stderr) == (2, True), answer.output


@pytest.mark.parametrize(
    ("who", "code", "words"),
    [
        ("u-1", 2, "expected 32 hexadecimal digits, or KIND:VALUE"),
        ("user_id:", 2, "expected 32 hexadecimal digits"),
        ("", 2, "expected 32 hexadecimal digits"),
        ("user_id:u-3", 1, "No customer was seen with user_id:u-3"),
        ("email:u-1", 1, "No customer was seen with"),
        ("user_id:\0", 1, "No customer was seen with"),
        ("0" * 32, 1, "There is no customer with the id"),
    ],
)
@pytest.mark.parametrize("command", ["show", "timeline"])
async def test_nobody_is_an_answer_in_words(ask: Ask, command: str, who: str, code: int, words: str) -> None:
    answer = ask(command, who)
    assert (answer.exit_code, words in answer.stderr) == (code, True), answer.output


async def test_a_cookie_on_which_two_signed_in_is_the_last_ones(ask: Ask) -> None:
    shown = json.loads(ask("show", "anonymous_id:an-1", "--json").stdout)
    assert shown["customer"]["customer_id"] == U2


def test_a_database_out_of_reach_is_an_answer_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://u:p@127.0.0.1:1/x")
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:1")
    answer = CliRunner().invoke(app, ["show", "user_id:u-1"])
    assert answer.exit_code == 1
    assert "PostgreSQL" in answer.stderr
