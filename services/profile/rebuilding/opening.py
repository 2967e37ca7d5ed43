"""A site on a service's database, as a command opens it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.rule_files import identity_rules, lifecycle_stages
from services.profile.adapters.sessions import SESSION
from services.profile.rebuilding.site import Rules, Site
from services.profile.settings import RebuildingSettings
from shared.runtime.clock import SystemClock
from shared.runtime.failpoints import failpoints_for
from shared.runtime.lanes import Claims
from shared.runtime.transaction import Transactions

# What everybody waits for is soon there; a whole timeline takes its time, so statements have none.
_OPTIONS = {"search_path": "profile", "timezone": "UTC", "lock_timeout": "10s", **SESSION}


@asynccontextmanager
async def site_of(settings: RebuildingSettings) -> AsyncIterator[Site]:
    """Open a site.

    Raises:
        WrongRulesError: the rules can't be used.
        psycopg_pool.PoolTimeout: the database cannot be reached.
    """
    rules = Rules(identity_rules(settings.identity_rules), lifecycle_stages(settings.lifecycle_stages))
    options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
    async with AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs={"options": options, "connect_timeout": 5},
        min_size=1,
        max_size=3,
        timeout=10,
        open=False,
    ) as pool:
        failpoints = failpoints_for("profile-rebuild")
        transactions = Transactions(pool, Claims("crm-profile"), failpoints)
        yield Site(pool, transactions, PostgresCustomers(failpoints), rules, settings.lanes, SystemClock())
