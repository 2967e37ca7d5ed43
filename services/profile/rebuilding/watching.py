"""The check that runs all the time: every so often one worker compares some customers with their timeline.

It goes round by id, so that each customer has its turn; whoever claims a turn in the table runs it, whatever workers
there are.
"""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta

from services.profile.adapters import postgres_rebuilds
from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_recount import Rulings
from services.profile.rebuilding.checking import Checked, check_next
from services.profile.rebuilding.rebuild import NOBODY
from services.profile.rebuilding.site import Rules, Site
from services.profile.settings import ProfileSettings
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.logs import logger
from shared.runtime.worker import Runtime

log = logger(__name__)

COMPARED = "crm_profile_checked_customers_total"
LAST_RUN = "crm_profile_check_last_run_timestamp_seconds"
LONGEST_SLEEP = 5.0


class EqualityCheck:
    """Takes turns; what it finds is counted and logged, and nothing is written."""

    def __init__(self, runtime: Runtime, settings: ProfileSettings, rules: Rules) -> None:
        self._runtime = runtime
        self._interval = timedelta(seconds=settings.check_interval_seconds)
        self._most = settings.check_customers
        self._rulings = Rulings()
        store = PostgresCustomers(NullFailpoints())
        self.site = Site(runtime.pool, runtime.transactions, store, rules, settings.lanes, runtime.clock)
        for result in ("equal", "different", "passed_over"):
            runtime.metrics.counter(COMPARED, result=result).inc(0)

    async def run(self, stopped: Callable[[], bool]) -> None:
        """Look every few seconds whether it is our turn, until stopped; what fails has another turn."""
        pause = min(LONGEST_SLEEP, self._interval.total_seconds())
        while pause and not stopped():
            await asyncio.sleep(pause)
            try:
                await self.take_turn()
            except Exception as error:
                # Whatever it is: what only looks must stop nobody who works.
                log.warning("A check of customers failed and has another turn", action="check.retry", exc_info=error)

    async def take_turn(self) -> Checked | None:
        """Compare the next customers if it is time and nobody else does; nothing if it is not our turn."""
        runtime = self._runtime
        async with runtime.pool.connection() as connection:
            turn = await postgres_rebuilds.claim_check(connection, self._interval)
            await connection.commit()
            if turn is None:
                return None
            try:
                last, found = await check_next(connection, self.site, self._rulings, turn.last or NOBODY, self._most)
            except Exception:
                # Elsewhere next time: whoever cannot be compared would else keep all others from their turn.
                await postgres_rebuilds.leave_check(connection, secrets.token_bytes(16))
                await connection.commit()
                raise
            await postgres_rebuilds.leave_check(connection, last)
        metrics = runtime.metrics
        metrics.counter(COMPARED, result="equal").inc(found.customers - found.different)
        metrics.counter(COMPARED, result="different").inc(found.different)
        metrics.counter(COMPARED, result="passed_over").inc(found.pending)
        metrics.gauge(LAST_RUN).set(runtime.clock.now().timestamp())
        if found.different:
            log.error(
                "Customers are not what their events say: `rapport profile rebuild` puts them right",
                action="check.different",
                customers=found.different,
                first=found.differences[0].customer_id,
            )
        return found
