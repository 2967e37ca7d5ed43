"""The composition root of ingest: raw events in, interactions and dead letters out."""

from collections.abc import Sequence
from typing import NoReturn

import mode
import psycopg

from services.ingest.adapters.postgres_quarantine import COUNT_BY_REASON, PostgresQuarantine
from services.ingest.adapters.postgres_source_fuse import Limits, PostgresSourceFuse
from services.ingest.adapters.postgres_sources import PostgresSources, connect, read_sources
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader
from services.ingest.handlers import IngestHandler
from services.ingest.ports import Snapshot
from services.ingest.settings import IngestSettings
from services.ingest.source_book import BookKeeper, SourceBook
from services.ingest.source_gauges import SourceGauges
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS, RAW_EVENTS_DLQ
from shared.runtime.batch import DeadLetterPolicy
from shared.runtime.repeated import Repeated
from shared.runtime.schema_revision import DatabaseUnreachableError
from shared.runtime.worker import Runtime, Service, run

LOOK_SECONDS = 5.0


class BookKept(mode.Service):
    """Keeps the book of sources fresh while the worker runs."""

    def __init__(self, keeper: BookKeeper) -> None:
        super().__init__()
        self._keeper = keeper

    @mode.Service.task
    async def _keep_until_stopped(self) -> None:
        await self._keeper.run()


def service(settings: IngestSettings) -> Service:
    """Read the sources once, and wire ingest to read events by them; it keeps its own dead letters, in the quarantine.

    Raises:
        DatabaseUnreachableError: without the sources, events of a strict or paused one would be let through.
    """
    identities = Identities(settings.identity_secret.get_secret_value().encode())
    snapshot = _sources(settings)
    fuse = PostgresSourceFuse(Limits(settings.source_fuse_ratio, settings.source_fuse_min_events))
    books: list[SourceBook] = []

    def handler(runtime: Runtime) -> IngestHandler:
        books.append(SourceBook(PostgresSources(runtime.pool), runtime.clock, snapshot))
        return IngestHandler(Reader(identities, books[-1].source), settings.lanes, PostgresQuarantine(), fuse)

    def background(runtime: Runtime) -> Sequence[mode.Service]:
        gauges = SourceGauges(runtime.pool, runtime.metrics, runtime.clock)
        return (
            BookKept(BookKeeper(books[-1], runtime.health, runtime.clock)),
            Repeated(gauges.look, LOOK_SECONDS, "Sources can't be counted now", "sources.retry"),
        )

    return Service(
        name="ingest",
        inputs=(RAW_EVENTS,),
        outputs=(INTERACTIONS, RAW_EVENTS_DLQ),
        handler=handler,
        background=background,
        stage="ingest",
        dead_letters=DeadLetterPolicy.HANDLER_KEEPS,
        open_dead_letters=COUNT_BY_REASON,
    )


def _sources(settings: IngestSettings) -> Snapshot:
    try:
        with connect(settings.database_url.get_secret_value()) as connection:
            return read_sources(connection)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(error) from None


def main() -> NoReturn:
    """Run ingest until a signal or an error."""
    run("ingest", IngestSettings, service)
