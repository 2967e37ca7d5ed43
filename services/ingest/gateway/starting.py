"""From settings to a running gateway: one process, or one that looks after several."""

import sys
from typing import NoReturn

from services.ingest.gateway.serving import run, serve_alone, take_port
from services.ingest.gateway.settings import SERVICE, IngestGatewaySettings
from services.ingest.gateway.supervising import supervise
from shared.runtime.errors import RapportError
from shared.runtime.logs import configure_logs, logger
from shared.runtime.redaction import brief
from shared.runtime.schema_revision import DatabaseUnreachableError, history_of, require_current
from shared.runtime.settings import settings_or_exit
from shared.runtime.watchdog import hold_stop_signals

log = logger(__name__)


def main() -> NoReturn:
    """Take events until a signal or an error.

    Exit codes: 0 after SIGTERM or SIGINT, 1 after an error or an overrun stop, 2 for settings that are wrong.
    """
    hold_stop_signals()
    settings = settings_or_exit(SERVICE, IngestGatewaySettings)
    configure_logs("ingest-gateway", settings)
    try:
        _require_schema(settings)
        taken = take_port(settings)
        sys.exit(run(serve_alone(settings, taken)) if settings.workers == 1 else supervise(settings, taken))
    except RapportError as error:
        log.error("Gateway can't start", action="service.refuse", **brief(error))  # noqa: TRY400 - ours need no stack
        sys.exit(1)


def _require_schema(settings: IngestGatewaySettings) -> None:
    try:
        require_current(settings.database_url.get_secret_value(), history_of("ingest"))
    except DatabaseUnreachableError:
        # It may come later: until then everything is answered with 503, and nobody loses anything.
        log.warning("PostgreSQL is away", action="sources.retry")
