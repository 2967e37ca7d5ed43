"""The query API on a real PostgreSQL: what the command line shows, for whom it is, and who read it is written down."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import AsyncConnection
from structlog.testing import CapturingLogger
from typer.testing import CliRunner

from services.profile import answering
from services.profile.adapters import postgres_lookup
from services.profile.cli.customers import app
from services.profile.query import drawing
from services.profile.query.doors import new_pool
from shared.contracts.identities import identity_id
from shared.runtime.api_keys import Role
from tests.integration.services.profile.query import api, calling, eventually, get, settings_of
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import SECRET, interaction, record

EVA = (("user_id", "u-1"), ("email", "eva@example.com"))
U1, MAIL = (identity_id(SECRET, *one) for one in EVA)


@pytest.fixture
async def client(connection: AsyncConnection, database_url: str) -> AsyncIterator[httpx.Client]:
    named: Any = ("Identify", "identify", {"traits": {"first_name": "Eva", "last_name": "Muster"}})
    order: Any = ("Order Completed", "order", {"total": {"amount": "35.50", "currency": "EUR"}})
    group: Any = ("Group Joined", "group", {"group_id": "acme", "name": "Acme"})
    said = [named, order, order, group]
    events = [record(interaction(f"m-{n}", one, EVA)) for n, one in enumerate(said)]
    await commit(new_handler(), connection, events)
    with calling(api(database_url)) as found:
        yield found


async def test_a_customer_is_read_by_id_and_by_any_identifier(client: httpx.Client) -> None:
    answers = [get(client, f"/customers/{who}") for who in (U1, U1.upper(), "user_id:u-1", "email:Eva@Example.com")]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    document = answers[0].json()
    assert list(document) == ["customer", "version", "audit"]
    assert document["customer"]["orders"]["revenue"] == [{"amount": "71.00", "currency": "EUR"}]
    assert (document["version"]["number"], document["audit"]) == (4, [])
    redirected = get(client, f"/customers/{MAIL}").json()
    assert redirected["redirected_from"] == MAIL
    assert redirected["customer"] == document["customer"]


async def test_it_says_what_the_command_line_says(
    client: httpx.Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())
    eventually(lambda: bool(get(client, "/customers", search="muster").json()["customers"]))
    eventually(lambda: get(client, "/customers", search="muster").json()["waiting"] == 0)
    pairs: list[tuple[list[str], str, dict[str, Any]]] = [
        (["show", "user_id:u-1"], "/customers/user_id:u-1", {}),
        (["timeline", "user_id:u-1", "--last", "3"], "/customers/user_id:u-1/timeline", {"limit": 3}),
        (["timeline", U1, "--family", "order"], f"/customers/{U1}/timeline", {"family": "order"}),
        (["history", "user_id:u-1", "first_name"], "/customers/user_id:u-1/history/first_name", {}),
        (["search", "muster"], "/customers", {"search": "muster"}),
    ]
    for command, path, asked in pairs:
        shown = CliRunner().invoke(app, [*command, "--json"])
        assert shown.exit_code == 0, shown.output
        assert json.loads(shown.stdout) == get(client, path, **asked).json()


async def test_somebody_is_found_moments_after_the_event(client: httpx.Client, connection: AsyncConnection) -> None:
    said = ("Identify", "identify", {"traits": {"name": "Zoltan"}})
    await commit(new_handler(), connection, [record(interaction("m-9", said, (("user_id", "u-9"),)))])
    eventually(lambda: bool(get(client, "/customers", search="zolt").json()["customers"]))
    by_identity = get(client, "/customers", identity="user_id:u-9").json()["customers"]
    assert [one["name"] for one in by_identity] == ["Zoltan"]
    assert get(client, "/customers", identity="user_id:u/8").json()["customers"] == []


async def test_drawing_goes_on_after_whatever_goes_wrong_and_readiness_says_so_meanwhile(
    connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = CapturingLogger()
    monkeypatch.setattr(drawing, "log", logged)
    monkeypatch.setattr(drawing, "TROUBLED_SECONDS", 0.05)
    said = ("Identify", "identify", {"traits": {"name": "Zoltan"}})
    await commit(new_handler(), connection, [record(interaction("m-9", said, (("user_id", "u-9"),)))])
    async with connection.transaction():
        await connection.execute("CREATE TABLE kept AS SELECT id, doc FROM identities")
        await connection.execute("UPDATE identities SET doc = '\\x00'")
    with calling(api(database_url)) as client:
        eventually(lambda: "stands still" in client.get("/readyz").text)
        assert client.get("/readyz").status_code == 200
        await connection.execute("UPDATE identities i SET doc = k.doc FROM kept k WHERE k.id = i.id")
        await connection.commit()
        eventually(lambda: bool(get(client, "/customers", search="zolt").json()["customers"]))
        eventually(lambda: "stands still" not in client.get("/readyz").text)
    assert {(call.method_name, call.kwargs["action"]) for call in logged.calls} == {("warning", "search.draw")}


async def test_a_timeline_is_paged_by_its_cursor(client: httpx.Client) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        asked: dict[str, Any] = {"limit": 3} | ({} if cursor is None else {"cursor": cursor})
        page = get(client, "/customers/user_id:u-1/timeline", **asked).json()
        seen += [one["message_id"] for one in page["activities"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert sorted(seen) == ["m-0", "m-1", "m-2", "m-3"]


async def test_an_account_is_read_with_those_who_belong_to_it(
    client: httpx.Client, connection: AsyncConnection
) -> None:
    found = get(client, "/accounts/acme").json()
    assert found["account"]["traits"]["name"]["value"] == "Acme"
    assert [one["customer_id"] for one in found["customers"]] == [U1]
    moved: Any = ("Group Joined", "group", {"group_id": "umbrella"})
    later = [interaction("z-9", moved, EVA)]
    await commit(new_handler(), connection, [record(one) for one in later])
    assert get(client, "/accounts/acme").json()["customers"] == []
    assert [one["customer_id"] for one in get(client, "/accounts/umbrella").json()["customers"]] == [U1]
    assert get(client, "/accounts/nobody").status_code == 404


async def test_who_read_about_whom_is_written_down(client: httpx.Client, database_url: str) -> None:
    get(client, f"/customers/{U1}")
    get(client, f"/customers/{MAIL}/timeline", Role.ADMIN)
    get(client, "/customers", Role.OPERATE, identity="user_id:u-1")
    get(client, "/customers/user_id:nobody")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT who, what, customers FROM profile.reads ORDER BY id").fetchall()
    assert [(who, what, [one.hex for one in customers]) for who, what, customers in rows] == [
        ("read", "show", [U1]),
        ("admin", "timeline", [U1]),
        ("operate", "search", [U1]),
    ]


@pytest.mark.parametrize("who", [U1, MAIL, "email:eva@example.com"])
@pytest.mark.usefixtures("client")
async def test_a_look_up_reads_no_table_from_end_to_end(database_url: str, who: str) -> None:
    with new_pool(settings_of(database_url)) as pool, pool.connection() as connection:

        def scans() -> object:
            connection.execute("SELECT pg_stat_force_next_flush()")
            return connection.execute(
                "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE schemaname = 'profile'"
                " AND (relname IN ('identities', 'customers', 'decisions') OR relname LIKE 'timeline%')"
            ).fetchone()

        before = scans()
        (customer,) = postgres_lookup.find(connection, who, SECRET)
        assert answering.whole(connection, customer, who).customer.customer_id == U1
        assert len(answering.timeline(connection, customer, 10).activities) == 4
        assert scans() == before
        assert postgres_lookup.find(connection, "email:eva@example.com", None)
        assert scans() != before
