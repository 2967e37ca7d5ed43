"""The headline gauges say what the views say, for the month that it is."""

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from services.metrics.headlines import GAUGES, Headlines
from shared.contracts.outreach import MessageState
from shared.contracts.segments import Change
from shared.runtime.clock import FixedClock
from shared.runtime.metrics import Metrics
from tests.integration.services.metrics.test_kpis import feed
from tests.unit.services.metrics.records import NOON, change, customer, order, outreach


def shown(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Return what `/metrics` would show of KPIs: name and label values to value."""
    return {
        (sample.name.removeprefix("crm_kpi_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("crm_kpi_")
    }


@pytest.fixture
async def pool(database_url: str) -> "AsyncConnectionPool[AsyncConnection]":
    return AsyncConnectionPool(
        database_url, min_size=1, max_size=1, open=False, kwargs={"options": "-c search_path=metrics"}, timeout=2
    )


async def test_gauges_show_the_month_so_far_and_what_is_now(
    connection: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection]
) -> None:
    november, december = NOON, NOON.replace(month=12)
    await feed(
        connection,
        [
            [order(1, november, "10.50"), order(1, december, "1"), order(2, december, "2", "USD")],
            [change(1, december, Change.EXITED), outreach("k-1", MessageState.ACCEPTED), customer(1)],
        ],
    )
    clock, registry = FixedClock(november), CollectorRegistry()
    headlines = Headlines(pool, Metrics("metrics", registry, also=GAUGES), clock)
    async with pool:
        await headlines.refresh()
        in_november = shown(registry)
        clock.at = december
        await headlines.refresh()
    assert in_november == {
        ("monthly_revenue", "EUR"): 10.5,
        ("monthly_orders",): 1,
        ("active_customers",): 1,
        ("new_customers",): 1,
        ("repeat_customers",): 0,
        ("average_order_value", "EUR"): 10.5,
        ("engaged_customers",): 1,
        ("mails_by_state", "welcome-back", "accepted"): 1,
        ("customers_by_lifecycle", "lead"): 1,
    }
    assert shown(registry) == {
        ("monthly_revenue", "EUR"): 1,
        ("monthly_revenue", "USD"): 2,
        ("monthly_orders",): 2,
        ("active_customers",): 2,
        ("new_customers",): 1,
        ("repeat_customers",): 1,
        ("average_order_value", "EUR"): 1,
        ("average_order_value", "USD"): 2,
        ("engaged_customers",): 2,
        ("segment_flow", "exited", "two-or-more"): 1,
        ("mails_by_state", "welcome-back", "accepted"): 1,
        ("customers_by_lifecycle", "lead"): 1,
    }


async def test_a_label_that_is_gone_is_no_longer_shown(
    connection: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection]
) -> None:
    await feed(connection, [[outreach("k-1", MessageState.PLANNED, 1)]])
    registry = CollectorRegistry()
    headlines = Headlines(pool, Metrics("metrics", registry, also=GAUGES), FixedClock(NOON))
    async with pool:
        await headlines.refresh()
        assert ("mails_by_state", "welcome-back", "planned") in shown(registry)
        await feed(connection, [[outreach("k-1", MessageState.ACCEPTED, 2)]])
        await headlines.refresh()
    assert {name for name in shown(registry) if name[0] == "mails_by_state"} == {
        ("mails_by_state", "welcome-back", "accepted")
    }


async def test_a_connection_comes_back_to_the_pool_able_to_write(
    connection: AsyncConnection, pool: AsyncConnectionPool[AsyncConnection]
) -> None:
    await feed(connection, [[order()]])
    headlines = Headlines(pool, Metrics("metrics", CollectorRegistry(), also=GAUGES), FixedClock(NOON))
    async with pool:
        await headlines.refresh()
        async with pool.connection() as same:
            cursor = await same.execute("DELETE FROM order_facts")
            assert cursor.rowcount == 1


async def test_a_database_that_is_gone_leaves_the_gauges_as_they_are(
    database_url: str, pool: AsyncConnectionPool[AsyncConnection]
) -> None:
    registry = CollectorRegistry()
    headlines = Headlines(pool, Metrics("metrics", registry, also=GAUGES), FixedClock(NOON))
    async with pool:
        await headlines.refresh()
        before = shown(registry)
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute("ALTER SCHEMA metrics RENAME TO elsewhere")
            with pytest.raises((psycopg.Error, PoolTimeout)):
                await headlines.refresh()
    assert shown(registry) == before
