"""Who is who on a real PostgreSQL: two workers, any order, any batches, and the tables hold the oracle's customers."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import settings
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_graph import read_clusters, read_identities
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import DeviceFollows
from services.profile.domain.months import split_by_month
from services.profile.domain.record import record_of
from services.profile.domain.state import State
from services.profile.handlers import ProfileHandler
from shared.contracts.codec import canonical
from shared.contracts.topics import CUSTOMERS
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Message, Publication
from shared.runtime.records import Record
from tests.integration.services.profile.conftest import OPTIONS
from tests.property.services.profile.crowds import crowd
from tests.property.services.profile.histories import rules_of
from tests.property.services.profile.oracle_held import expected, holds, parted
from tests.unit.services.profile.in_memory import apply, new_handler, read_all
from tests.unit.services.profile.topic_reader import CustomersRead

Worker = tuple[ProfileHandler, AsyncConnection]

HISTORIES = 200 if settings().max_examples >= 10_000 else 40
"""All of them in `make test-deep`: each costs a tenth of a second."""
TABLES = "identities, customers, regions, links, timeline"


async def commit(
    handler: ProfileHandler, connection: AsyncConnection, batch: Sequence[Record]
) -> Sequence[Publication]:
    """Apply a batch as the runtime does: what is stale is redone on what is there now."""
    for _ in range(2):
        try:
            async with connection.transaction():
                _, published = await apply(handler, batch, connection)
        except StaleStateError:
            handler.forget()
        else:
            return published
    raise AssertionError("a batch was stale twice with nobody else at work")


async def customers_of(connection: AsyncConnection) -> dict[str, bytes]:
    """Render every customer in the tables that did anything."""
    cursor = connection.cursor(binary=True)
    await cursor.execute("SELECT uuid_send(id) FROM identities")
    identities = await read_identities(connection, [key for (key,) in await cursor.fetchall()])
    roots = {one.root for one in identities.values() if one.root is not None}
    clusters, _ = await read_clusters(connection, roots)
    states: dict[str, State] = {
        name: one.state for name, one in identities.items() if one.root is None and one.state is not None
    }
    states |= {root: one.state for root, one in clusters.items() if one.summary.active}
    return {name: canonical(record_of(name, state)) for name, state in states.items()}


async def whose_in(connection: AsyncConnection) -> dict[str, str]:
    """Read whose each identity is."""
    cursor = await connection.execute(
        "SELECT replace(id::text, '-', ''), replace(coalesce(root, id)::text, '-', '') FROM identities"
    )
    return dict(await cursor.fetchall())


async def rendered(connection: AsyncConnection, topic: CustomersRead) -> dict[str, Message]:
    """Render what stands under every key once more, from the tables."""
    keys = sorted(topic.last)
    messages = await PostgresOutlet().render(connection, CUSTOMERS.name, [bytes.fromhex(key) for key in keys])
    return dict(zip(keys, messages, strict=True))


@pytest.fixture
async def second(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give another worker's connection."""
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as opened:
        yield opened


async def race(workers: Sequence[Worker], batches: Sequence[Sequence[Record]], topic: CustomersRead) -> int:
    """Let one worker commit between the other's reading and its writing; count who had to redo."""
    (ours, connection), theirs = workers
    stale = 0
    theirs_said: Sequence[Publication] | None = None
    published: Sequence[Publication] = ()
    try:
        async with connection.transaction():
            events = read_all(ours, batches[0])
            loaded = await ours.load(connection, ours.keys(events, ()))
            decision = ours.decide(events, (), loaded, datetime.now(UTC))
            theirs_said = await commit(*theirs, batches[1])
            await ours.save(connection, decision.rows)
            published = decision.publications
    except StaleStateError:
        ours.forget()
        stale, published = 1, await commit(ours, connection, batches[0])
    # What we remembered may be too old even to read with: then they had no turn yet.
    late = await commit(*theirs, batches[1]) if theirs_said is None else ()
    for one in theirs_said or (), published, late:
        topic.take(one)
    return stale


async def live(seed: int, connections: Sequence[AsyncConnection]) -> int:
    """Live through one history and compare; returns how often a worker came too late."""
    chance = random.Random(seed)  # noqa: S311 - a seeded history
    rules = rules_of(chance.choice([2, 3, 5, 100]), chance.choice(list(DeviceFollows)), chance.randint(1, 3))
    cached, said = chance.choice([0, 3, 1000]), crowd(chance)
    (whose, records), topic = expected(said, rules), CustomersRead()
    stores = [PostgresCustomers(NullFailpoints()) for _ in connections]
    workers = [(new_handler(store, cached, rules), one) for store, one in zip(stores, connections, strict=True)]
    again = parted(said, chance)
    stale = 0
    while again:
        chance.shuffle(workers)
        sizes = chance.choice([1, 2, 5, 20]), chance.choice([0, 0, 1, 5])
        first, other, again = again[: sizes[0]], again[sizes[0] : sum(sizes)], again[sum(sizes) :]
        if other:
            stale += await race(workers, (first, other), topic)
        else:
            topic.take(await commit(*workers[0], first))
    connection = connections[0]
    tables = await customers_of(connection)
    assert {name: json.loads(one, parse_float=Decimal) for name, one in tables.items()} == records, seed
    assert await whose_in(connection) == whose, seed
    assert topic.records() == tables, seed
    holds(topic, whose, records)
    for key, message in (await rendered(connection, topic)).items():
        version, last = topic.last[key]
        assert (message.value, dict(message.headers)["ce_version"]) == (last.value, b"%d" % version), (seed, key)
    current = await PostgresOutlet().current(connection, CUSTOMERS.name, [key.encode() for key in topic.last])
    assert {key: one.version for key, one in current.items()} == {
        key.encode(): version for key, version in topic.versions().items()
    }, seed
    return stale


async def test_tables_topic_and_outlet_hold_the_customers_of_the_oracle(
    connection: AsyncConnection, second: AsyncConnection
) -> None:
    months = split_by_month([event_of(one).key for one in crowd(random.Random(1))])  # noqa: S311 - any history's
    async with connection.transaction():
        await PostgresCustomers(NullFailpoints()).hashes(connection, months)
    stale = 0
    for seed in range(HISTORIES):
        stale += await live(seed, (connection, second))
        await connection.execute(f"TRUNCATE {TABLES}")
        await connection.commit()
    assert stale > HISTORIES / 4, "hardly anybody raced"
