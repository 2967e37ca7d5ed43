"""An API as a process: uvicorn on a port that was taken before, stopped by a signal within its grace."""

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import NoReturn, TypeVar

from fastapi import FastAPI

from shared.runtime.api_settings import ApiSettings
from shared.runtime.errors import RapportError
from shared.runtime.http_server import HttpServer, config_of
from shared.runtime.listening import listen, url_of
from shared.runtime.logs import configure_logs, logger
from shared.runtime.redaction import brief
from shared.runtime.settings import PREFIX, settings_or_exit
from shared.runtime.watchdog import hold_stop_signals, stop_signal

log = logger(__name__)

S = TypeVar("S", bound=ApiSettings)


def run_api(service: str, kind: type[S], compose: Callable[[S], FastAPI]) -> NoReturn:
    """Read settings, compose the app, serve it until a signal, exit.

    `service` is the settings' name, such as `ingest_admin`. Exit codes: 0 after SIGTERM or SIGINT, 1 after an error or
    an overrun stop, 2 for settings that are wrong.
    """
    hold_stop_signals()
    settings = settings_or_exit(service, kind)
    configure_logs(service.replace("_", "-"), settings)
    try:
        app = compose(settings)
        taken = listen(settings.host, settings.port, f"{PREFIX}{service.upper()}_PORT")
    except RapportError as error:
        log.error("Service can't start", action="service.refuse", **brief(error))  # noqa: TRY400 - ours need no stack
        sys.exit(1)
    log.info("The API is served", action="api.listen", url=url_of(taken.getsockname()[:2]))
    sys.exit(asyncio.run(_serve(app, taken, settings)))


async def _serve(app: FastAPI, taken: socket.socket, settings: ApiSettings) -> int:
    server = HttpServer(config_of(app, settings.drain_seconds))
    stopping, _ = stop_signal(settings.stop_grace_seconds)
    error = await server.serve_until(stopping, taken)
    if error is not None:
        log.error("Stopped by an error", action="stop.crash", **brief(error))
        return 1
    if not server.started:
        log.error("Stopped before it was ready", action="stop.crash")
        return 1
    log.info("Stopped", action="stop.end")
    return 0
