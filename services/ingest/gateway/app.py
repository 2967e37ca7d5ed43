"""The composition root of the gateway: an ASGI application with what it needs opened around it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from aiokafka.errors import KafkaError
from starlette.routing import Router

from services.ingest.adapters.postgres_sources import PostgresSources
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader
from services.ingest.gateway.appending import Appender
from services.ingest.gateway.application import Gateway
from services.ingest.gateway.observing import Observer
from services.ingest.gateway.reception import Reception
from services.ingest.gateway.settings import IngestGatewaySettings
from services.ingest.source_book import CONDITION, BookKeeper, SourceBook
from shared.runtime.clock import SystemClock
from shared.runtime.database import new_pool
from shared.runtime.failpoints import failpoints_for
from shared.runtime.health import Health
from shared.runtime.logs import logger
from shared.runtime.producing import STOP_SECONDS, Producing
from shared.runtime.watchdog import within

log = logger(__name__)

LOOK_SECONDS = 5.0
POOL_SIZE = 2


def new_health() -> Health:
    """Make the health of a process that takes events: it knows its sources, and Kafka answers."""
    return Health((CONDITION,))


def build(
    settings: IngestGatewaySettings, health: Health, observer: Observer, failed: Callable[[BaseException], object]
) -> Gateway:
    """Wire the application; its lifespan opens and closes what it holds.

    It starts without Kafka and without PostgreSQL, and answers 503 until it needs neither any more. `failed` is called
    with what ends the work in the background for good.
    """
    pool = new_pool("ingest", settings, {"application_name": "rapport-ingest-gateway"}, POOL_SIZE)
    clock = SystemClock()
    book = SourceBook(PostgresSources(pool), clock)
    keeper = BookKeeper(book, health, clock)
    producing = Producing(settings)
    appender = Appender(producing, settings.lanes, failpoints_for("ingest-gateway"))
    reader = Reader(Identities(settings.identity_secret.get_secret_value().encode()), book.source)

    @asynccontextmanager
    async def lifespan(_router: Router) -> AsyncIterator[None]:
        await pool.open()
        await keeper.refresh()
        running = {
            asyncio.create_task(keeper.run(), name="sources"),
            asyncio.create_task(appender.run(), name="append"),
            asyncio.create_task(_watch(producing, health), name="kafka"),
        }
        for task in running:
            task.add_done_callback(lambda ended: _tell(ended, failed))
        # What requests allocate has few cycles, and collecting the start-up's objects over and over costs much.
        gc.collect()
        gc.freeze()
        gc.set_threshold(500_000, 50, 100)
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await within(STOP_SECONDS, "stop the producer", producing.stop())
            await within(STOP_SECONDS, "close the database", pool.close())

    return Gateway(Reception(settings, book, reader, appender, clock, observer), observer, lifespan)


async def _watch(producing: Producing, health: Health) -> NoReturn:
    """Ask Kafka again and again whether it is there: readiness tells, also when nobody sends anything."""
    while True:
        health.moved()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await producing.ask()
        except (KafkaError, OSError) as error:
            log.warning("Kafka does not answer", action="kafka.retry", error=type(error).__name__)
        else:
            health.kafka_answered()
        await asyncio.sleep(LOOK_SECONDS)


def _tell(ended: "asyncio.Task[NoReturn]", failed: Callable[[BaseException], object]) -> None:
    if not ended.cancelled():
        error = ended.exception()
        if error is not None:
            failed(error)
