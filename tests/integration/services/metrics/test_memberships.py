"""KPIs by customer follow merges and their undoing, whatever order the topics and lanes are read in."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from psycopg import AsyncConnection, sql
from typer.testing import CliRunner

from services.metrics.adapters.postgres_facts import PostgresFacts
from services.metrics.cli import app
from services.metrics.domain.facts import Facts
from services.metrics.domain.kpis import KPIS
from shared.contracts.customers import Lifecycle
from shared.contracts.segments import Change, MergeCause
from shared.runtime.records import PlainRecord
from tests.integration.services.metrics.recomputation import recompute
from tests.integration.services.metrics.test_kpis import answers, feed
from tests.unit.services.metrics.records import NOON, activity, change, customer, order, redirect

JANUARY, MARCH, MAY, NOVEMBER = (NOON.replace(month=month) for month in (1, 3, 5, 11))
ANNA, BEN, CARA = 1, 2, 3


@dataclass
class People:
    """Identities as profile moves them: each has a customer and counts its customers; versions only grow."""

    chance: random.Random
    whose: dict[int, int] = field(default_factory=dict)
    count: dict[int, int] = field(default_factory=dict)
    version: dict[int, int] = field(default_factory=dict)
    said: list[PlainRecord] = field(default_factory=list)

    def does(self, identity: int, at: datetime) -> None:
        whose, count = self.whose.setdefault(identity, identity), self.count.setdefault(identity, 1)
        if self.chance.random() < 0.6:
            self.said.append(order(whose, at, "7.10", identity=identity, membership=count))
        else:
            self.said.append(activity(whose, at, identity=identity, membership=count))

    def move(self, identity: int, to: int) -> None:
        """Merge an identity into a customer, or give it back to itself."""
        left = self.whose.setdefault(identity, identity)
        if left == to:
            return
        self.whose[identity], self.count[identity] = to, self.count.get(identity, 1) + 1
        if to != identity:
            self.said.append(redirect(identity, to, self.next(identity), self.count[identity]))
        for one in {left, to} - ({identity} if to != identity else set()):
            self.publish(one)

    def publish(self, number: int) -> None:
        members = {one: self.count[one] for one, whose in self.whose.items() if whose == number}
        told = {one: count for one, count in members.items() if count > 1}
        if members:
            lifecycle = self.chance.choice(list(Lifecycle))
            self.said.append(customer(number, self.next(number), lifecycle, told))
        else:
            self.said.append(customer(number, self.next(number), None))

    def next(self, number: int) -> int:
        self.version[number] = self.version.get(number, 0) + 1
        return self.version[number]


def life(seed: int) -> list[PlainRecord]:
    """Make up a year in which a dozen identities act and move between four customers and themselves."""
    people = People(random.Random(seed))  # noqa: S311 - the same life each time
    chance = people.chance
    for _ in range(250):
        identity = chance.randrange(12)
        if chance.random() < 0.25:
            people.move(identity, chance.choice([20, 21, 22, identity]))
        else:
            people.does(identity, NOON - timedelta(days=chance.randrange(366)))
    return people.said


async def rows(connection: AsyncConnection) -> dict[str, list[tuple[object, ...]]]:
    """Read every table of facts."""
    names = ("order_facts", "first_orders", "activity_facts", "customer_facts", "memberships")
    found = {}
    for name in names:
        cursor = await connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2, 3").format(sql.Identifier(name)))
        found[name] = await cursor.fetchall()
    return found


@pytest.mark.parametrize("seed", range(6))
async def test_kpis_by_customer_equal_a_recomputation_in_any_order_and_batching(
    connection: AsyncConnection, seed: int
) -> None:
    said = life(seed)
    random.Random(seed).shuffle(said)  # noqa: S311 - the same order each time
    size = (1, 7, 40, 1000)[seed % 4]
    await feed(connection, [said[start : start + size] for start in range(0, len(said), size)])
    assert await answers(connection) == recompute(said)


async def test_stale_records_and_redirects_in_any_order_end_in_the_same_tables(connection: AsyncConnection) -> None:
    said = life(7)
    states = [record for record in said if record.topic == "crm.customers.v1"]
    await feed(connection, [said])
    expected, kpis = await rows(connection), await answers(connection)
    await feed(connection, [states[::-1], states[::3], states[: len(states) // 2]])
    assert (await rows(connection), await answers(connection)) == (expected, kpis)
    for seed in range(3):
        await connection.execute(
            "TRUNCATE order_facts, first_orders, activity_facts, customer_facts, memberships, segment_facts"
        )
        random.Random(seed).shuffle(said)  # noqa: S311 - the same order each time
        await feed(connection, [said[:90], said[90:]])
        assert await rows(connection) == expected


async def until_blocked(watcher: AsyncConnection, pid: int) -> None:
    """Return once that connection waits for a lock."""
    async with asyncio.timeout(10):
        while True:
            cursor = await watcher.execute("SELECT cardinality(pg_blocking_pids(%s))", (pid,))
            if await cursor.fetchone() != (0,):
                return


ACTED = (
    order(ANNA, MARCH, "10"),
    order(BEN, JANUARY, "20"),
    order(BEN, MAY, "30"),
    order(CARA, JANUARY, "40"),
    activity(ANNA, NOVEMBER),
    activity(BEN, NOVEMBER),
    change(ANNA, MARCH),
    customer(ANNA, 3, Lifecycle.CUSTOMER),
    customer(BEN, 4, Lifecycle.LEAD),
    customer(CARA, 1, Lifecycle.CUSTOMER),
)
MERGED = (
    redirect(BEN, ANNA, 5),
    customer(ANNA, 4, Lifecycle.CUSTOMER, {BEN: 2}),
    change(BEN, MAY, Change.EXITED, cause=MergeCause()),
    change(ANNA, MAY, Change.ENTERED, cause=MergeCause()),
)
UNDONE = (
    customer(BEN, 6, Lifecycle.LEAD, {BEN: 3}),
    customer(ANNA, 5, Lifecycle.CUSTOMER),
    change(BEN, MAY, Change.ENTERED, cause=MergeCause()),
    change(ANNA, MAY, Change.EXITED, cause=MergeCause()),
)


async def test_a_merge_corrects_months_that_are_past_and_its_undoing_brings_them_back(
    connection: AsyncConnection,
) -> None:
    await feed(connection, [ACTED])
    before = await answers(connection)
    assert before["new_customers"] == [("2026-01", 2), ("2026-03", 1)]
    assert before["repeat_customers"] == [("2026-05", 1)]
    await feed(connection, [MERGED])
    merged = await answers(connection)
    assert merged["new_customers"] == [("2026-01", 2)]
    assert merged["repeat_customers"] == [("2026-03", 1)]
    assert merged["active_customers"] == [("2026-01", 2), ("2026-03", 1), ("2026-05", 1)]
    assert merged["engaged_customers"] == [("2026-01", 2), ("2026-03", 1), ("2026-05", 1), ("2026-11", 1)]
    assert merged["customers_by_lifecycle"] == [("customer", 2)]
    assert merged["segment_flow"] == before["segment_flow"]
    await feed(connection, [UNDONE])
    assert await answers(connection) == before


async def test_an_identity_that_was_never_anybody_elses_counts_as_its_customer(connection: AsyncConnection) -> None:
    await feed(connection, [[order(ANNA, MARCH, identity=BEN), order(ANNA, MAY), activity(ANNA, MARCH, identity=9)]])
    found = await answers(connection)
    assert found["new_customers"] == [("2026-03", 1)]
    assert found["repeat_customers"] == [("2026-05", 1)]
    assert found["engaged_customers"] == [("2026-03", 1), ("2026-05", 1)]


async def test_of_two_workers_that_tell_of_one_identity_the_greater_membership_stays(
    connection: AsyncConnection, database_url: str
) -> None:
    eva, tom = (number.to_bytes(16, "big") for number in (ANNA, BEN))
    facts = PostgresFacts()
    async with await AsyncConnection.connect(database_url, options="-c search_path=metrics") as other:
        await facts.add(connection, Facts(memberships={tom: (3, tom)}))
        late = asyncio.create_task(facts.add(other, Facts(memberships={tom: (2, eva)})))
        async with await AsyncConnection.connect(database_url, autocommit=True) as watcher:
            await until_blocked(watcher, other.info.backend_pid)
        await connection.commit()
        await late
        await other.commit()
    cursor = await connection.execute("SELECT customer_id, number FROM memberships")
    assert await cursor.fetchall() == [(UUID(bytes=tom), 3)]


async def test_what_is_shown_before_a_merge_is_shown_again_after_its_undoing(
    connection: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")

    def shown() -> list[object]:
        return [
            json.loads(CliRunner().invoke(app, ["show", each.name, "--json"], catch_exceptions=False).stdout)
            for each in KPIS
        ]

    await feed(connection, [ACTED])
    before = shown()
    await feed(connection, [MERGED])
    assert shown() != before
    await feed(connection, [UNDONE])
    assert shown() == before
