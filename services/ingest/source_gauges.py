"""Shows how sources fare: which of them are paused and by whom, and how much of what each sends is refused."""

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.ingest.adapters.postgres_source_fuse import last_minute
from services.ingest.domain.tallies import OTHER
from shared.runtime.clock import Clock
from shared.runtime.metrics import Metrics

RATIO = "crm_ingest_source_quarantined_ratio"
PAUSED = "crm_ingest_source_paused"
REASONS = ("operator", "fuse")

_PAUSED_REASONS = "SELECT name, paused_reason FROM sources"


class SourceGauges:
    """Sets the gauges of sources from the tables, so that each worker shows the same."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], metrics: Metrics, clock: Clock) -> None:
        self._pool = pool
        self._metrics = metrics
        self._clock = clock

    async def look(self) -> None:
        """Look once; a source that sent nothing for a minute has nothing refused.

        Raises:
            psycopg.Error: that was not possible; the gauges stay.
        """
        async with self._pool.connection() as connection:
            paused: dict[str, str | None] = dict(await (await connection.execute(_PAUSED_REASONS)).fetchall())
            counts = await last_minute(connection, self._clock.now())
        for source, why in paused.items():
            for reason in REASONS:
                self._metrics.gauge(PAUSED, source=source, reason=reason).set(reason == why)
        for source in (*paused, OTHER):
            events, refused = counts.get(source, (0, 0))
            self._metrics.gauge(RATIO, source=source).set(refused / events if events else 0)
