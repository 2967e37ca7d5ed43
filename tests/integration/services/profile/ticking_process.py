"""A worker of profile that does nothing but what falls due, as a process of its own, so that it can be killed.

`python -m … DATABASE_URL`, with failpoints as any service takes them. What it commits waits for a publisher.
"""

import asyncio
import sys

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.sessions import SESSION
from shared.contracts.topics import INTERACTIONS
from shared.runtime.batch import DeadLetterPolicy, Parts, Processor
from shared.runtime.claiming import take_lanes
from shared.runtime.clock import SystemClock
from shared.runtime.database import new_pool
from shared.runtime.failpoints import failpoints_for
from shared.runtime.fuse import Fuse, Limits
from shared.runtime.health import Health
from shared.runtime.lanes import Claims
from shared.runtime.metrics import Metrics
from shared.runtime.observe import BatchObserver
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings
from shared.runtime.transaction import Transactions
from tests.unit.services.profile.in_memory import new_handler

GROUP, LANES = "crm-profile", range(4)


async def main(database_url: str) -> None:
    """Take all lanes over and fire what is due."""
    settings = RuntimeSettings.model_validate({"kafka_bootstrap_servers": "localhost:1", "database_url": database_url})
    clock, failpoints, claims = SystemClock(), failpoints_for("profile"), Claims(GROUP)
    async with new_pool("profile", settings, SESSION) as pool:
        claims.replace(await take_lanes(pool, GROUP, LANES, "a test"))
        transactions = Transactions(pool, claims, failpoints)
        observer = BatchObserver(Metrics("profile"), Health(), clock, None)
        handler = new_handler(PostgresCustomers(failpoints))
        policy = DeadLetterPolicy.RUNTIME_KEEPS
        parts = Parts(handler, transactions, Producing(settings), clock, failpoints, observer, policy)
        processor = Processor(parts, {INTERACTIONS.name: INTERACTIONS.kind}, Fuse(Limits()))
        async with processor.lock:
            await processor.fire(dict.fromkeys(LANES, clock.now()), 100)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
