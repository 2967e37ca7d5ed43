"""An API as a process: uvicorn on a port that was taken before, stopped by a signal within its grace."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import uvicorn
from fastapi import FastAPI

from shared.runtime.api_settings import ApiSettings
from shared.runtime.errors import FatalError, RapportError
from shared.runtime.logs import configure_logs, logger
from shared.runtime.redaction import describe_error
from shared.runtime.settings import PREFIX, settings_or_exit
from shared.runtime.watchdog import StopWatchdog, hold_stop_signals

log = logger(__name__)

S = TypeVar("S", bound=ApiSettings)


class ApiPortTakenError(FatalError):
    """The API's port belongs to another process."""

    def __init__(self, service: str, host: str, port: int, why: str) -> None:
        super().__init__(
            f"can't listen on {host}:{port} ({why}): set {PREFIX}{service.upper()}_PORT to a free port, or to 0 for any"
        )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the watchdog's thread takes the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
        taken = _listen(service, settings)
    except RapportError as error:
        described = describe_error(error)
        told = {key: described[key] for key in ("error", "error_text") if key in described}
        log.error("Service can't start", action="service.refuse", **told)  # noqa: TRY400 - ours need no stack
        sys.exit(1)
    sys.exit(asyncio.run(_serve(app, taken, settings)))


def _listen(service: str, settings: ApiSettings) -> socket.socket:
    host = settings.host
    try:
        taken = socket.create_server((host, settings.port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ApiPortTakenError(service, host, settings.port, error.strerror or type(error).__name__) from error
    host, port = taken.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    log.info("The API is served", action="api.listen", url=url)
    return taken


async def _serve(app: FastAPI, taken: socket.socket, settings: ApiSettings) -> int:
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_seconds) or 1,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    StopWatchdog(settings.stop_grace_seconds, lambda: loop.call_soon_threadsafe(stopping.set)).start()
    serving = asyncio.create_task(server.serve(sockets=[taken]), name="serve")
    waiting = asyncio.create_task(stopping.wait(), name="stop-signal")
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    waiting.cancel()
    await asyncio.wait({serving, waiting})
    error = serving.exception()
    if error is not None:
        log.error("Stopped by an error", action="stop.crash", error=type(error).__name__)
        return 1
    if not server.started:
        log.error("Stopped before it was ready", action="stop.crash")
        return 1
    log.info("Stopped", action="stop.end")
    return 0
