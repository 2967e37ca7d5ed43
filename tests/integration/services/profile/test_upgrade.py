"""What an older version left behind: documents with fewer fields, and events that this version cannot read."""

import json
import random
from collections.abc import Mapping
from uuid import UUID

import msgspec
import pytest
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.state import dump, load
from services.profile.rebuilding.checking import check_all
from shared.contracts.identities import IdentityRef, identity_id
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile.rebuilding import rows, site_on
from tests.integration.services.profile.test_accounts import operate
from tests.integration.services.profile.test_rebuild import lived
from tests.integration.services.profile.test_rebuild_meanwhile import couples
from tests.integration.services.profile.test_who_is_who import commit, customers_of
from tests.property.services.profile.strategies import SECRET, interaction, record
from tests.unit.services.profile.in_memory import new_handler

RULES = IdentityRules()
FIELDS_BEFORE = 9
"""A state's fields up to the consents: all that there were before tallies, sums and registers."""
VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
ORDERED = ("Order Completed", "order", {"total": {"amount": "3.5", "currency": "EUR"}})
U1, U2 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2"))
MAIL = IdentityRef(identity_id(SECRET, "email", "eva@example.com"), "email", "eva@example.com")
SOMEBODY = [
    interaction(f"m-{user}-{number}", said, [("user_id", user)])
    for user in ("u-1", "u-2")
    for number, said in enumerate((VIEWED, VIEWED, ORDERED))
]


async def test_documents_of_before_are_read_folded_into_and_put_right_by_a_rebuild(
    database_url: str, connection: AsyncConnection
) -> None:
    await lived(connection, SOMEBODY, RULES, random.Random(1))  # noqa: S311 - any order
    wanted = await customers_of(connection)
    assert json.loads(wanted[U1])["totals"]["browsing"]["count"] == 2
    await _as_before(connection)
    async with site_on(database_url, RULES) as watched:
        assert (await check_all(watched.site, lambda _: None)).different == 2
        later = interaction("m-9", ORDERED, [("user_id", "u-1")])
        await commit(new_handler(PostgresCustomers(NullFailpoints())), connection, [record(later)])
        folded = json.loads((await customers_of(connection))[U1])
        assert folded["orders"]["count"] == 2
        outcome = await watched.rebuild()
        assert (outcome.different, outcome.switched) == (2, 2)
    found = await customers_of(connection)
    assert found[U2] == wanted[U2]
    assert json.loads(found[U1])["totals"]["browsing"]["count"] == 2


async def test_what_somebody_was_known_as_before_there_were_links_is_not_lost_by_a_rebuild(
    database_url: str, connection: AsyncConnection
) -> None:
    await lived(connection, SOMEBODY, RULES, random.Random(1))  # noqa: S311 - any order
    await _as_before(connection, {U1: MAIL})
    before = json.loads((await customers_of(connection))[U1])
    assert [one["value"] for one in before["addresses"]] == ["eva@example.com"]
    async with site_on(database_url, RULES) as watched:
        assert (await watched.rebuild()).switched == 2
        assert (await watched.rebuild()).different == 0
    after = json.loads((await customers_of(connection))[U1])
    assert (after["addresses"], after["identities"]) == (before["addresses"], before["identities"])
    assert after["totals"]["browsing"]["count"] == 2


async def _as_before(connection: AsyncConnection, beside: Mapping[str, IdentityRef] = {}) -> None:
    cursor = await connection.execute("SELECT id, doc FROM identities WHERE doc IS NOT NULL")
    for key, document in await cursor.fetchall():
        state = load(document)
        if (other := beside.get(key.hex)) is not None:
            state.identities = {**state.identities, other.id: other}
        fields = msgspec.msgpack.decode(dump(state))[:FIELDS_BEFORE]
        await connection.execute("UPDATE identities SET doc = %s WHERE id = %s", (msgspec.msgpack.encode(fields), key))
    await connection.commit()


async def test_who_has_an_event_that_cannot_be_read_is_left_alone_and_listed_and_all_others_are_put_right(
    database_url: str, connection: AsyncConnection
) -> None:
    await lived(connection, couples(), RULES, random.Random(1))  # noqa: S311 - any order
    await connection.execute("UPDATE identities SET doc = (SELECT min(doc) FROM identities) WHERE doc IS NOT NULL")
    await connection.execute(
        "UPDATE timeline SET payload = %s WHERE identity_id = %s::uuid", (b'{"total":{"amount":"Eva"}}', U1)
    )
    await connection.commit()
    before = await _rows_of(connection, U1)
    async with site_on(database_url, RULES) as watched:
        outcome = await watched.rebuild()
        left = [one for one in outcome.differences if one.customer_id == U1]
        assert outcome.unreadable == len(left) == 1
        assert left[0].path.startswith("timeline.")
        assert ".payload.total" in left[0].path
        assert outcome.switched == outcome.different - 1 > 0
        again = await check_all(watched.site, lambda _: None)
        assert [one.customer_id for one in again.differences] == [U1]
    assert await _rows_of(connection, U1) == before


async def _rows_of(connection: AsyncConnection, customer: str) -> list[tuple[object, ...]]:
    found = [row for some in (await rows(connection)).values() for row in some]
    return [row for row in found if any(str(value) == str(UUID(customer)) for value in row)]


async def test_a_rebuild_that_left_somebody_alone_says_so_by_its_code(
    database_url: str, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lived(connection, SOMEBODY, RULES, random.Random(1))  # noqa: S311 - any order
    await connection.execute("UPDATE timeline SET payload = %s WHERE name = 'Order Completed'", (b'{"total":"Eva"}',))
    await connection.commit()
    for name, value in {"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": "localhost:1", "LANES": "4"}.items():
        monkeypatch.setenv(f"CRM_{name}", value)
    rebuilt = await operate("rebuild", "--json")
    assert rebuilt.exit_code == 1, rebuilt.output
    assert "2 customers were left alone" in rebuilt.stderr
    found = json.loads(rebuilt.stdout)
    assert (found["unreadable"], found["switched"]) == (2, 0)
    assert "Eva" not in rebuilt.output
