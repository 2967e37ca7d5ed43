"""KPI views on a real PostgreSQL equal a recomputation from the raw messages (invariant I10)."""

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from psycopg import AsyncConnection

from services.metrics.adapters.kpi_queries import question
from services.metrics.adapters.postgres_facts import PostgresFacts
from services.metrics.domain.events import Event
from services.metrics.domain.kpis import KPIS
from services.metrics.domain.months import month_text
from services.metrics.handlers import MetricsHandler
from shared.contracts.customers import Lifecycle
from shared.contracts.outreach import MessageState
from shared.contracts.segments import Change
from shared.runtime.handler import Outcome
from shared.runtime.records import PlainRecord, Poison, Received
from tests.integration.services.metrics.recomputation import Answers, recompute
from tests.unit.services.metrics.records import NOON, activity, change, customer, order, outreach


async def feed(connection: AsyncConnection, batches: Sequence[Sequence[PlainRecord]]) -> list[Outcome]:
    """Do what the runtime does with a batch, without Kafka: decode, load, decide, save, commit."""
    handler = MetricsHandler(PostgresFacts())
    outcomes: list[Outcome] = []
    for batch in batches:
        events: list[Received[Event]] = []
        for record in batch:
            (event,) = handler.decode(record)
            assert not isinstance(event, Poison)
            events.append(Received(record, 0, event))
        state = await handler.load(connection, handler.keys(events, ()))
        decision = handler.decide(events, (), state, NOON)
        await handler.save(connection, decision.rows)
        await connection.commit()
        outcomes += decision.outcomes
    return outcomes


async def answers(connection: AsyncConnection) -> Answers:
    """Ask every KPI."""
    found: dict[str, list[tuple[object, ...]]] = {}
    for kpi in KPIS:
        cursor = await connection.execute(*question(kpi))
        rows = [
            tuple(month_text(cell) if isinstance(cell, date) else cell for cell in row)
            for row in await cursor.fetchall()
        ]
        found[kpi.name] = sorted(rows, key=repr)
    return found


def history(seed: int) -> list[PlainRecord]:
    """Make up a year of a shop: orders in three currencies, free ones, views, flows, mails, records."""
    chance = random.Random(seed)  # noqa: S311 - the same history each time
    at = [NOON - timedelta(days=chance.randrange(366), seconds=chance.randrange(86_400)) for _ in range(600)]
    made: list[PlainRecord] = []
    for when in at[:400]:
        amount = chance.choice([f"{chance.randrange(20_000) / 100:.2f}", "0", None, "0.0001", "-5.5"])
        made.append(order(chance.randrange(60), when, amount, chance.choice(["EUR", "USD"]), lane=chance.randrange(4)))
    made += [activity(chance.randrange(80), when) for when in at[400:500]]
    made += [
        change(1, when, chance.choice(list(Change)), chance.choice(["new", "loyal"]), lane=chance.randrange(4))
        for when in at[500:600]
    ]
    for number in range(80):
        state = chance.choice(list(MessageState))
        rule = chance.choice(["no_consent", None]) if state is MessageState.SKIPPED else None
        made.append(outreach(f"k-{chance.randrange(30)}", state, number, rule=rule, incarnation=1 + number // 60))
    made += [customer(chance.randrange(20), version, chance.choice([*Lifecycle, None])) for version in range(1, 80)]
    return made


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("size", [1, 50, 5000])
async def test_kpis_equal_a_recomputation_in_any_order_and_batching(
    connection: AsyncConnection, seed: int, size: int
) -> None:
    records = history(seed)
    random.Random(seed + size).shuffle(records)  # noqa: S311 - the same order each time
    await feed(connection, [records[start : start + size] for start in range(0, len(records), size)])
    assert await answers(connection) == recompute(records)


async def test_records_and_mails_that_come_again_change_nothing(connection: AsyncConnection) -> None:
    records = history(3)
    await feed(connection, [records])
    again = [record for record in records if record.topic in {"crm.customers.v1", "crm.outreach.v1"}]
    outcomes = await feed(connection, [again, again[::-1]])
    assert await answers(connection) == recompute(records)
    assert "Duplicate()" in {repr(outcome) for outcome in outcomes}


async def test_a_late_order_corrects_months_that_were_already_told(connection: AsyncConnection) -> None:
    november, january = NOON, NOON.replace(month=1)
    await feed(connection, [[order(1, november, "10"), order(1, november, "20")]])
    before = await answers(connection)
    assert before["new_customers"] == [("2026-11", 1)]
    assert before["repeat_customers"] == [("2026-11", 1)]
    await feed(connection, [[order(1, january, "5")]])
    after = await answers(connection)
    assert after["new_customers"] == [("2026-01", 1)]
    assert after["repeat_customers"] == [("2026-11", 1)]
    assert [row[:2] for row in after["monthly_revenue"]] == [("2026-01", "EUR"), ("2026-11", "EUR")]


async def test_the_first_two_days_survive_any_arrival(connection: AsyncConnection) -> None:
    days = [datetime(2026, month, 5, tzinfo=NOON.tzinfo) for month in (4, 2, 9, 1, 7)]
    await feed(connection, [[order(1, at)] for at in days])
    found = await answers(connection)
    assert (found["new_customers"], found["repeat_customers"]) == ([("2026-01", 1)], [("2026-02", 1)])


async def test_every_view_has_the_columns_that_the_catalogue_says(connection: AsyncConnection) -> None:
    cursor = await connection.execute(
        "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)"
        " FROM information_schema.columns WHERE table_schema = 'metrics' AND table_name LIKE 'kpi_%'"
        " GROUP BY table_name"
    )
    assert {name: tuple(columns) for name, columns in await cursor.fetchall()} == {
        kpi.view: kpi.columns for kpi in KPIS
    }


async def test_months_can_be_bounded_on_both_sides(connection: AsyncConnection) -> None:
    await feed(connection, [[order(1, datetime(2026, month, 28, tzinfo=NOON.tzinfo)) for month in (1, 2, 3, 4)]])
    orders = next(kpi for kpi in KPIS if kpi.name == "monthly_orders")
    cursor = await connection.execute(*question(orders, date(2026, 2, 1), date(2026, 3, 1)))
    assert await cursor.fetchall() == [(date(2026, 2, 1), 1), (date(2026, 3, 1), 1)]


async def test_nothing_to_add_is_added_without_a_statement(connection: AsyncConnection) -> None:
    assert await feed(connection, [[]]) == []
    assert all(rows == [] for rows in (await answers(connection)).values())
