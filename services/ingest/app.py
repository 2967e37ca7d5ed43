"""The composition root of ingest: raw events in, interactions and dead letters out."""

from typing import NoReturn

from services.ingest.adapters.postgres_quarantine import COUNT_BY_REASON, PostgresQuarantine
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader
from services.ingest.handlers import IngestHandler
from services.ingest.settings import IngestSettings
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS, RAW_EVENTS_DLQ
from shared.runtime.batch import DeadLetterPolicy
from shared.runtime.worker import Service, run


def service(settings: IngestSettings) -> Service:
    """Wire ingest; it keeps its own dead letters, in the quarantine."""
    reader = Reader(Identities(settings.identity_secret.get_secret_value().encode()))
    return Service(
        name="ingest",
        inputs=(RAW_EVENTS,),
        outputs=(INTERACTIONS, RAW_EVENTS_DLQ),
        handler=lambda _runtime: IngestHandler(reader, settings.lanes, PostgresQuarantine()),
        stage="ingest",
        dead_letters=DeadLetterPolicy.HANDLER_KEEPS,
        open_dead_letters=COUNT_BY_REASON,
    )


def main() -> NoReturn:
    """Run ingest until a signal or an error."""
    run("ingest", IngestSettings, service)
