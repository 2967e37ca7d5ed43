"""The composition root of metrics: which topics, which handler, and the headlines beside it."""

from collections.abc import Sequence
from typing import NoReturn

import mode
import psycopg
from psycopg_pool import PoolTimeout

from services.metrics.adapters.postgres_facts import PostgresFacts
from services.metrics.handlers import MetricsHandler
from services.metrics.headlines import GAUGES, Headlines
from services.metrics.settings import MetricsSettings
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.logs import logger
from shared.runtime.worker import Runtime, Service, run

log = logger(__name__)

REST = 9
"""Rest so many times as long as the question took: the headlines never cost more than a tenth of a connection."""


class HeadlineService(mode.Service):
    """Refreshes the headlines again and again; a PostgreSQL that does not answer is asked again later."""

    def __init__(self, headlines: Headlines, seconds: float) -> None:
        super().__init__()
        self._headlines = headlines
        self._seconds = seconds

    @mode.Service.task
    async def _keep_fresh(self) -> None:
        while not self.should_stop:
            took = 0.0
            try:
                took = await self._headlines.refresh()
            except (psycopg.OperationalError, PoolTimeout) as error:
                log.warning("Headline KPIs are stale", action="kpi.refresh", error=type(error).__name__)
            await self.sleep(max(self._seconds, REST * took))


def service(settings: MetricsSettings) -> Service:
    """Wire metrics."""

    def background(runtime: Runtime) -> Sequence[mode.Service]:
        headlines = Headlines(runtime.pool, runtime.metrics, runtime.clock)
        return [HeadlineService(headlines, settings.kpi_refresh_seconds)]

    return Service(
        name="metrics",
        inputs=(ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, OUTREACH),
        outputs=(),
        handler=lambda _runtime: MetricsHandler(PostgresFacts()),
        background=background,
        stage="kpi",
        gauges=GAUGES,
    )


def main() -> NoReturn:
    """Run metrics until a signal or an error."""
    run("metrics", MetricsSettings, service)
