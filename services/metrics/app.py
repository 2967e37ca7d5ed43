"""The composition root of metrics: which topics, which handler, and the headlines beside it."""

from collections.abc import Sequence
from typing import NoReturn

import mode

from services.metrics.adapters.postgres_facts import PostgresFacts
from services.metrics.handlers import MetricsHandler
from services.metrics.headlines import GAUGES, Headlines
from services.metrics.settings import MetricsSettings
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.repeated import Repeated
from shared.runtime.worker import Runtime, Service, run

REST = 9
"""Rest so many times as long as the question took: the headlines never cost more than a tenth of a connection."""


def service(settings: MetricsSettings) -> Service:
    """Wire metrics."""

    def background(runtime: Runtime) -> Sequence[mode.Service]:
        headlines = Headlines(runtime.pool, runtime.metrics, runtime.clock)
        seconds = settings.kpi_refresh_seconds
        return [Repeated(headlines.refresh, seconds, "Headline KPIs are stale", "kpi.refresh", rest=REST)]

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
