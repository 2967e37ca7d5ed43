"""Rebuild on a real PostgreSQL: nothing is found where nothing is wrong, and what was changed by hand is put right."""

import json
import random
from collections.abc import Sequence
from decimal import Decimal

from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain.decisions import DECISION, Decision
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.months import split_by_month
from shared.contracts.interactions import Interaction
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile.rebuilding import Watched, rows, site_on, spoil
from tests.integration.services.profile.test_who_is_who import TABLES, commit, customers_of, rendered, whose_in
from tests.property.services.profile.crowds import crowd
from tests.property.services.profile.deeds import deed
from tests.property.services.profile.histories import rules_of
from tests.property.services.profile.oracle_held import expected
from tests.property.services.profile.strategies import record
from tests.unit.services.profile.in_memory import new_handler, ring
from tests.unit.services.profile.topic_reader import CustomersRead

HISTORIES = 16
FEW = 3
MORE = "accounts, account_identities, rebuilds, rebuild_differences, streams, publications"


def some_rules(chance: random.Random) -> IdentityRules:
    """Choose rules under which limits are hit."""
    return rules_of(chance.choice([2, 3, 5, 100]), chance.choice(list(DeviceFollows)), chance.randint(1, 3))


async def lived(
    connection: AsyncConnection, said: Sequence[Interaction], rules: IdentityRules, chance: random.Random
) -> CustomersRead:
    """Apply a history in some order, in some batches."""
    handler, topic = new_handler(PostgresCustomers(NullFailpoints()), 100, rules), CustomersRead()
    records = [record(one) for one in said]
    chance.shuffle(records)
    while records:
        size = chance.choice([1, 2, 5, 20])
        topic.take(await commit(handler, connection, records[:size]))
        records = records[size:]
    return topic


async def test_a_rebuild_finds_what_was_changed_by_hand_and_puts_it_right(
    database_url: str, connection: AsyncConnection
) -> None:
    months = split_by_month([event_of(one).key for one in crowd(random.Random(1))])  # noqa: S311 - any history's
    async with connection.transaction():
        await PostgresCustomers(NullFailpoints()).hashes(connection, months)
    spoilt: set[str] = set()
    for seed in range(HISTORIES):
        chance = random.Random(seed)  # noqa: S311 - a seeded history
        rules = some_rules(chance)
        topic = await lived(connection, crowd(chance), rules, chance)
        await decided(connection, rules, chance, topic)
        async with site_on(database_url, rules, chance.choice([1, 3, 500])) as watched:
            spoilt |= await _spoilt_and_put_right(seed, watched, connection, topic, chance)
        await clear(connection)
    assert len(spoilt) == 5, spoilt


async def test_after_a_change_of_rules_customers_are_what_those_would_have_made_of_them(
    database_url: str, connection: AsyncConnection
) -> None:
    moved = 0
    for seed in range(HISTORIES // 2):
        chance = random.Random(seed)  # noqa: S311 - a seeded history
        old, new, said = some_rules(chance), some_rules(chance), crowd(chance)
        topic = await lived(connection, said, old, chance)
        async with site_on(database_url, new) as watched:
            moved += (await watched.rebuild()).switched
        topic.take(watched.published)
        tables = await customers_of(connection)
        whose, records = expected(said, new)
        assert {name: json.loads(one, parse_float=Decimal) for name, one in tables.items()} == records, seed
        assert topic.records() == tables, seed
        assert await whose_in(connection) == whose, seed
        await clear(connection)
    assert moved > 0


async def decided(
    connection: AsyncConnection, rules: IdentityRules, chance: random.Random, topic: CustomersRead
) -> None:
    """Let people decide a few things, and the clock bring them."""
    handler, known = new_handler(PostgresCustomers(NullFailpoints()), 100, rules), sorted(await whose_in(connection))
    made: list[Decision] = []
    for _ in range(chance.randint(0, 4) if len(known) > FEW else 0):
        one = deed(chance, known, made)
        made.append(one)
        ids = "{" + ",".join(one.identities) + "}"
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO decisions (id, decided_at, who, why, kind, identities, undoes, preview)"
                " VALUES (%s::uuid, %s, 'somebody', '', %s, %s::uuid[], %s::uuid, '{}')",
                (one.id, one.decided_at, one.kind.value, ids, one.undoes),
            )
            topic.take((await ring(handler, [DECISION + one.id], connection)).publications)


async def clear(connection: AsyncConnection) -> None:
    """Empty the tables, of what is never taken out too."""
    for word in ("DISABLE", "ENABLE"):
        for table in ("decisions", "decisions_applied"):
            await connection.execute(f"ALTER TABLE {table} {word} TRIGGER USER")
        if word == "DISABLE":
            await connection.execute(f"TRUNCATE {TABLES}, {MORE}, decisions, decisions_applied")
    await connection.commit()


async def _spoilt_and_put_right(
    seed: int, watched: Watched, connection: AsyncConnection, topic: CustomersRead, chance: random.Random
) -> set[str]:
    customers, whose, before = await customers_of(connection), await whose_in(connection), await rows(connection)
    found = await watched.rebuild()
    assert (found.different, found.switched, watched.published) == (0, 0, []), (seed, found)
    assert found.equal == found.customers > 0
    assert await rows(connection) == before, seed
    how = await spoil(connection, chance, seed)
    if how is None:
        return set()
    found = await watched.rebuild()
    assert found.different > 0, (seed, how)
    topic.take(watched.published)
    assert await customers_of(connection) == customers == topic.records(), (seed, how, found)
    assert await whose_in(connection) == whose, (seed, how)
    for key, message in (await rendered(connection, topic)).items():
        version, last = topic.last[key]
        assert (message.value, dict(message.headers)["ce_version"]) == (last.value, b"%d" % version), (seed, how, key)
    again = await watched.rebuild()
    assert again.different == 0, (seed, how, again)
    return {how}
