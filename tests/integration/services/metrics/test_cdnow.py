"""CDNOW's published numbers come out of metrics: real orders at their own dates, shuffled, late and in batches."""

import random
from datetime import UTC, datetime, time
from decimal import Decimal

from psycopg import AsyncConnection

from shared.demo.cdnow import orders
from tests.integration.services.metrics.test_kpis import answers, feed
from tests.unit.services.metrics.records import order


async def test_the_published_totals_of_cdnow_come_out_exactly(connection: AsyncConnection) -> None:
    records = [order(int(one.customer), datetime.combine(one.day, time(12), UTC), one.total, "USD") for one in orders()]
    random.Random(1).shuffle(records)  # noqa: S311 - the same order each time
    await feed(connection, [records[start : start + 5000] for start in range(0, len(records), 5000)])
    found = await answers(connection)
    assert found["new_customers"] == [("1997-01", 7846), ("1997-02", 8476), ("1997-03", 7248)]
    assert sum(Decimal(str(row[-1])) for row in found["monthly_revenue"]) == Decimal("2500315.63")
    assert sum(int(str(row[-1])) for row in found["monthly_orders"]) == 69659
    assert sum(int(str(row[-1])) for row in found["repeat_customers"]) == 11662
    assert len(found["monthly_orders"]) == 18
