"""What waits for search is seen by whoever watches the workers, for nobody else may be there to tell."""

import pytest
from psycopg import AsyncConnection

from services.profile import search_counted
from services.profile.domain.identity_rules import IdentityRules
from services.profile.search_counted import WAITING, SearchCounted
from shared.runtime.clock import SystemClock
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.worker import Runtime
from tests.integration.services.profile.rebuilding import site_on
from tests.integration.services.profile.test_equality_check import settings, value
from tests.integration.services.profile.test_postgres_customers import commit, feed, new_handler


async def test_changes_that_wait_for_search_are_counted_up_to_a_bound(
    database_url: str, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics("profile")
    async with site_on(database_url, IdentityRules()) as watched:
        site = watched.site
        runtime = Runtime(
            settings(), site.pool, site.transactions.claims, site.transactions, SystemClock(), metrics,
            NullFailpoints(), Health(),
        )  # fmt: skip
        counted = SearchCounted(runtime)
        await counted.look()
        assert value(metrics, WAITING) == 0
        await commit(new_handler(), connection, feed(1, 50))
        cursor = await connection.execute("SELECT count(*) FROM search_due")
        row = await cursor.fetchone()
        await counted.look()
        assert row is not None
        assert value(metrics, WAITING) == row[0] > 1
        monkeypatch.setattr(search_counted, "MOST_COUNTED", 1)
        await counted.look()
        assert value(metrics, WAITING) == 1
