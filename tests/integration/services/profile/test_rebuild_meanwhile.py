"""Rebuild while something happens: it is killed, or events go on; nothing is lost, and nothing counts twice."""

import asyncio
import json
import random
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.domain.identity_rules import IdentityRules
from services.profile.handlers import ProfileHandler
from services.profile.ports import Change, Entry, GraphChange
from services.profile.rebuilding.rebuild import RebuildingError
from shared.contracts.interactions import Interaction
from shared.contracts.topics import CUSTOMERS
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.records import Record
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.rebuilding import site_on, wrong_join, wrong_trait
from tests.integration.services.profile.test_rebuild import clear, lived
from tests.integration.services.profile.test_who_is_who import commit, customers_of, rendered
from tests.property.services.profile.crowds import crowd
from tests.property.services.profile.oracle_held import expected
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import new_handler

RULES = IdentityRules()


def long_crowd(chance: random.Random) -> list[Interaction]:
    """Make a history of some length."""
    return next(said for _ in range(100) if len(said := crowd(chance)) > 20)


def couples() -> list[Interaction]:
    """Make customers of two identities, and some of one."""
    said = ("Order Completed", "order", {"total": {"amount": "3.5", "currency": "EUR"}})
    return [
        interaction(
            f"m-{number}-{again}",
            said,
            [("user_id", f"u-{number}"), ("anonymous_id", f"d-{number}")][: 1 + number % 2],
            occurred_at=START + timedelta(minutes=number),
            received_at=START + timedelta(minutes=number),
        )
        for number in range(40)
        for again in range(2)
    ]


async def spoil_all(connection: AsyncConnection, chance: random.Random) -> None:
    """Change the documents of many."""
    for _ in range(20):
        await wrong_trait(connection, chance)
        await wrong_join(connection, chance)
    await connection.commit()


class Interrupted(PostgresCustomers):
    """A store of which each write comes too late, as long as there are events that another worker has meanwhile."""

    def __init__(self, worker: ProfileHandler, connection: AsyncConnection, records: Sequence[Record]) -> None:
        super().__init__(NullFailpoints())
        self._worker = worker
        self._connection = connection
        self.left = list(records)

    async def write(
        self,
        connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        """Let the other worker commit between reading and writing."""
        batch, self.left = self.left[:2], self.left[2:]
        if batch:
            await commit(self._worker, self._connection, batch)
        await super().write(connection, changes, graph, entries)


class Busy(PostgresCustomers):
    """A store in which the customer that is written first is written by somebody else each time."""

    def __init__(self) -> None:
        super().__init__(NullFailpoints())
        self._whose: frozenset[bytes] = frozenset()

    async def write(
        self,
        connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        """Come too late."""
        keys = frozenset(() if graph is None else (seat.key for seat in graph.seatings))
        self._whose = self._whose or keys
        if keys & self._whose:
            raise StaleStateError("somebody was here")
        await super().write(connection, changes, graph, entries)


async def test_a_customer_that_never_rests_keeps_no_other_from_being_put_right(
    database_url: str, connection: AsyncConnection
) -> None:
    chance = random.Random(7)  # noqa: S311 - a seeded history
    await lived(connection, couples(), RULES, chance)
    for _ in range(10):
        await wrong_trait(connection, chance)
    await connection.commit()
    async with site_on(database_url, RULES) as watched:
        watched.replace_store(Busy())
        with pytest.raises(RebuildingError, match=r"1 customer .* run the rebuild again"):
            await watched.rebuild()
        cursor = await connection.execute("SELECT count(*) FILTER (WHERE switched), count(*) FROM rebuild_differences")
        row = await cursor.fetchone()
        await connection.commit()
        assert row is not None
        assert row[0] == row[1] - 1 > 1
        watched.replace_store(PostgresCustomers(NullFailpoints()))
        await watched.rebuild()
        assert (await watched.rebuild()).different == 0


async def test_what_comes_between_reading_and_writing_is_neither_lost_nor_counted_twice(
    database_url: str, connection: AsyncConnection
) -> None:
    for seed in range(8):
        chance = random.Random(seed)  # noqa: S311 - a seeded history
        said = long_crowd(chance)
        half = len(said) // 2
        await lived(connection, said[:half], RULES, chance)
        await spoil_all(connection, chance)
        worker = new_handler(PostgresCustomers(NullFailpoints()), chance.choice([0, 1000]), RULES)
        async with (
            await AsyncConnection.connect(database_url, options=OPTIONS) as second,
            site_on(database_url, RULES, 3) as watched,
        ):
            store = Interrupted(worker, second, [record(one) for one in said[half:]])
            watched.replace_store(store)
            await watched.rebuild()
            while store.left:  # there were more events than writes
                batch, store.left = store.left[:2], store.left[2:]
                await commit(worker, second, batch)
            assert (await watched.rebuild()).different == 0, seed
        tables = await customers_of(connection)
        _, records = expected(said, RULES)
        assert {name: json.loads(one, parse_float=Decimal) for name, one in tables.items()} == records, seed
        await clear(connection)


async def test_a_rebuild_that_is_killed_goes_on_and_ends_as_if_it_had_not_been(
    database_url: str, connection: AsyncConnection
) -> None:
    chance = random.Random(7)  # noqa: S311 - a seeded history
    topic = await lived(connection, couples(), RULES, chance)
    customers = await customers_of(connection)
    await spoil_all(connection, chance)
    await killed_when(database_url, connection, "SELECT compared >= 2 FROM rebuilds")
    await killed_when(database_url, connection, "SELECT switched >= 1 FROM rebuilds")
    async with site_on(database_url, RULES) as watched:
        found = await watched.rebuild()
        assert found.different > 15
        assert found.switched <= found.different
        cursor = await connection.execute("SELECT count(*) FROM rebuilds")
        assert await cursor.fetchone() == (1,), "it began anew"
        assert (await watched.rebuild()).different == 0
    assert await customers_of(connection) == customers
    await publications_are_the_tables(connection)
    for key, message in (await rendered(connection, topic)).items():
        assert int(dict(message.headers)["ce_version"]) >= topic.last[key][0]


async def killed_when(database_url: str, connection: AsyncConnection, reached: str) -> None:
    """Begin or go on with a rebuild, and kill it as soon as this is so."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.services.profile.rebuild_process", database_url
    )
    while True:
        cursor = await connection.execute(reached)
        row = await cursor.fetchone()
        await connection.rollback()
        if row is not None and row[0]:
            break
        assert process.returncode is None, "it ended before it could be killed"
        await asyncio.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


async def publications_are_the_tables(connection: AsyncConnection) -> None:
    """See that whatever was changed is to be published, and can be."""
    cursor = await connection.execute("SELECT unnest(keys) FROM publications WHERE topic = %s", (CUSTOMERS.name,))
    keys = sorted({key for (key,) in await cursor.fetchall()})
    assert keys
    messages = await PostgresOutlet().render(connection, CUSTOMERS.name, keys)
    assert len(messages) == len(keys)
