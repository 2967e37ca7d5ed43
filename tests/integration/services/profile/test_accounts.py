"""Accounts on a real PostgreSQL: the same whatever the order and the workers, shown with their members, and rebuilt."""

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.profile.adapters.postgres_accounts import read_all
from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.cli import customers, operating
from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.identities import identity_id
from shared.contracts.interactions import Interaction
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.rebuilding import site_on, wrong_trait
from tests.integration.services.profile.test_rebuild import lived
from tests.property.services.profile.strategies import SECRET, START, interaction, record
from tests.unit.services.profile.in_memory import apply, new_handler

ORDER = ("Order Completed", "order", {"total": {"amount": "35.50", "currency": "EUR"}})
U1, U2, U3 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2", "u-3"))


def joins(minute: int, user: str, group: str, **traits: str) -> Interaction:
    """Let somebody say which account they belong to."""
    at = START + timedelta(minutes=minute)
    payload = {"group_id": group, **traits}
    said = ("Group Joined", "group", payload)
    return interaction(f"g-{minute}-{user}", said, [("user_id", user)], occurred_at=at, received_at=at)


SAID = (
    joins(1, "u-1", "acme", name="Acme", plan="trial"),
    joins(2, "u-2", "acme", plan="pro"),
    joins(3, "u-3", "acme", industry="coal"),
    joins(4, "u-3", "other", name="Other"),
    joins(0, "u-1", "acme", plan="none", website="acme.example"),
    joins(5, "u-1", "with\0nul"),
    interaction("o-1", ORDER, [("user_id", "u-1")]),
    interaction("o-2", ORDER, [("user_id", "u-2"), ("anonymous_id", "an")]),
    interaction("o-3", ORDER, [("user_id", "u-3")]),
)


def invoke(*arguments: str) -> Result:
    """Run a command of customers."""
    return CliRunner().invoke(customers.app, arguments)


@pytest.fixture
async def at_hand(connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncConnection:
    """Put people and accounts there, and let commands find them."""
    await lived(connection, SAID[:5] + SAID[6:], IdentityRules(), random.Random(1))  # noqa: S311 - a seeded order
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:1")
    monkeypatch.setenv("CRM_LANES", "4")
    monkeypatch.setenv("COLUMNS", "200")
    return connection


async def test_an_account_shows_its_traits_its_members_and_what_they_come_to(at_hand: AsyncConnection) -> None:
    del at_hand
    shown = invoke("account", "acme", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert {name: trait["value"] for name, trait in found["record"]["traits"].items()} == {
        "name": "Acme", "plan": "pro", "industry": "coal", "website": "acme.example",
    }  # fmt: skip
    assert sorted(found["members"]) == sorted([U1, U2]), "u-3 belongs to another now"
    assert found["totals"] == {"customers": 2, "orders": 2, "revenue": [{"amount": "71.00", "currency": "EUR"}]}
    people = invoke("account", "acme").stdout
    assert all(text in people for text in ("Acme", "pro", "71.00", U1, U2))
    assert U3 in invoke("account", "other").stdout


async def test_an_account_that_nobody_named_is_told_in_words(at_hand: AsyncConnection) -> None:
    del at_hand
    for account_id in ("nobody", "with\0nul"):
        asked = invoke("account", account_id)
        assert (asked.exit_code, asked.stdout) == (1, "")
        assert "No event named such an account" in asked.stderr


@pytest.mark.parametrize("seed", range(4))
async def test_an_account_is_the_same_in_any_order_and_any_batches(connection: AsyncConnection, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seeded order
    await lived(connection, SAID[:5], IdentityRules(), chance)
    found = {name: said for name, (_, said) in (await read_all(connection)).items()}
    assert {name: register.value for name, register in found["acme"].state.traits.items()} == {
        "name": b'"Acme"', "plan": b'"pro"', "industry": b'"coal"', "website": b'"acme.example"',
    }  # fmt: skip
    assert (found["acme"].state.first_at, found["acme"].state.last_at) == (START, START + timedelta(minutes=3))
    assert found["acme"].identities == {bytes.fromhex(one) for one in (U1, U2, U3)}
    assert found["other"].identities == {bytes.fromhex(U3)}


async def test_two_workers_on_one_account_wait_for_each_other_and_lose_nothing(
    connection: AsyncConnection, database_url: str
) -> None:
    await lived(connection, SAID[:1], IdentityRules(), random.Random(1))  # noqa: S311 - one event
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as second:
        worker = new_handler(PostgresCustomers(NullFailpoints()))
        async with connection.transaction():
            # As whoever writes it holds it: from here on the other one is at work, and must not have read before.
            await connection.execute("SELECT FROM accounts WHERE id = 'acme' FOR UPDATE")
            other = asyncio.create_task(_commit(second, [SAID[2]]))
            await _waits(database_url)
            await apply(worker, [record(SAID[1])], connection)
        await other
    found = {name: said for name, (_, said) in (await read_all(connection)).items()}
    assert {name: register.value for name, register in found["acme"].state.traits.items()} == {
        "name": b'"Acme"', "plan": b'"pro"', "industry": b'"coal"',
    }  # fmt: skip


async def test_an_account_that_goes_while_somebody_waits_for_another_loses_nothing_that_is_said_of_it(
    connection: AsyncConnection, database_url: str
) -> None:
    await lived(connection, [SAID[0], SAID[3]], IdentityRules(), random.Random(1))  # noqa: S311 - two events
    later = joins(6, "u-3", "other", plan="pro")
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as second:
        async with connection.transaction():
            # It finds both there, and waits for the first; then the other one is taken away, as a rebuild does.
            await connection.execute("SELECT FROM accounts WHERE id = 'acme' FOR UPDATE")
            batch = asyncio.create_task(_commit(second, [SAID[1], later]))
            await _waits(database_url)
            await connection.execute("DELETE FROM accounts WHERE id = 'other'")
        with pytest.raises(StaleStateError):
            await batch
        await _commit(second, [SAID[1], later])
    found = {name: said for name, (_, said) in (await read_all(connection)).items()}
    assert found["other"].state.traits["plan"].value == b'"pro"'


async def _commit(connection: AsyncConnection, said: Sequence[Interaction]) -> None:
    async with connection.transaction():
        handler = new_handler(PostgresCustomers(NullFailpoints()))
        await apply(handler, [record(one) for one in said], connection)


async def _waits(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as looker:
        while True:
            cursor = await looker.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            row = await cursor.fetchone()
            if row is not None and row[0]:
                return
            await asyncio.sleep(0.01)


async def test_a_rebuild_fills_accounts_and_puts_right_what_was_changed_by_hand(
    at_hand: AsyncConnection, database_url: str
) -> None:
    wanted = {name: said for name, (_, said) in (await read_all(at_hand)).items()}
    for change in (
        "DELETE FROM accounts WHERE id = 'acme'",
        "DELETE FROM account_identities WHERE account_id = 'acme'",
        "UPDATE accounts SET doc = (SELECT doc FROM accounts WHERE id = 'other') WHERE id = 'acme'",
        "INSERT INTO accounts SELECT 'made up', 1, doc FROM accounts WHERE id = 'acme'",
    ):
        await at_hand.execute(change)
        await at_hand.commit()
        async with site_on(database_url, IdentityRules()) as watched:
            assert (await watched.rebuild()).accounts_different == 1, change
            assert (await watched.rebuild()).accounts_different == 0, change
        assert {name: said for name, (_, said) in (await read_all(at_hand)).items()} == wanted, change
        await at_hand.commit()


async def test_commands_rebuild_and_check_and_tell_what_they_found(at_hand: AsyncConnection) -> None:
    equal = await operate("check", "--all", "--json")
    assert equal.exit_code == 0, equal.output
    assert json.loads(equal.stdout)["different"] == 0
    await wrong_trait(at_hand, random.Random(1))  # noqa: S311 - any of them
    await at_hand.commit()
    wrong = await operate("check", "--all")
    assert (wrong.exit_code, "rapport profile rebuild" in wrong.stderr) == (1, True), wrong.output
    rebuilt = json.loads((await operate("rebuild", "--json")).stdout)
    assert (rebuilt["different"], rebuilt["switched"], len(rebuilt["differences"])) == (1, 1, 1)
    assert rebuilt["events_per_second"] > 0
    again = await operate("rebuild")
    assert again.exit_code == 0, again.output
    assert "put right" in again.stdout
    assert (await operate("check", "--sample", "10")).exit_code == 0


async def test_a_rebuild_with_other_lanes_than_the_workers_is_refused_in_words(at_hand: AsyncConnection) -> None:
    await at_hand.execute("INSERT INTO lanes VALUES ('crm-profile', 6, 1, 'somebody')")
    await at_hand.commit()
    refused = await operate("rebuild")
    assert (refused.exit_code, refused.stdout) == (1, ""), refused.output
    assert "Profile works with 7 lanes, not 4: set CRM_LANES as it has it." in refused.stderr


async def test_rules_that_cannot_be_used_end_the_command_in_words(
    at_hand: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    del at_hand
    monkeypatch.setenv("CRM_PROFILE_IDENTITY_RULES", "nowhere.yaml")
    refused = await operate("check")
    assert (refused.exit_code, "nowhere.yaml" in refused.stderr) == (2, True), refused.output


async def operate(*arguments: str) -> Result:
    """Run a command of profile, which has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, operating.app, arguments)
