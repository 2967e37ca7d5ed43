"""A process that takes events: uvicorn on a socket, its pages beside it, stopped within the grace."""

import asyncio
import functools
import resource
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import uvicorn

from services.ingest.gateway.app import build, new_health
from services.ingest.gateway.application import Gateway
from services.ingest.gateway.connections import Connection, Patience
from services.ingest.gateway.observing import Observer
from services.ingest.gateway.settings import IngestGatewaySettings
from shared.runtime.errors import FatalError
from shared.runtime.health import Health
from shared.runtime.logs import logger
from shared.runtime.metrics import Metrics
from shared.runtime.pages import Pages
from shared.runtime.redaction import describe_error
from shared.runtime.watchdog import StopWatchdog

log = logger(__name__)

BACKLOG = 2048
SHOW_SECONDS = 1.0
TICKS_A_SECOND = 10


class PortInUseError(FatalError):
    """The gateway's port belongs to another process."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            f"can't listen on {host}:{port} ({why}): set CRM_INGEST_GATEWAY_PORT to a free port, or to 0 for any"
        )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, for the watchdog's thread takes the signals, and with a look at time."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now)
        return await super().on_tick(counter)


def listen(settings: IngestGatewaySettings) -> socket.socket:
    """Take the port.

    Raises:
        PortInUseError: something else has it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        taken = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise PortInUseError(settings.host, settings.port, error.strerror or type(error).__name__) from error
    host, port = taken.getsockname()[:2]
    log.info(
        "Events are taken",
        action="gateway.listen",
        url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
    )
    return taken


async def work(
    settings: IngestGatewaySettings, taken: socket.socket, stopping: asyncio.Event, health: Health, metrics: Metrics
) -> int:
    """Take events at a socket until told to stop, or until an error ends it; returns the exit code.

    What is under way is finished first, for `drain_seconds` at most.
    """
    errors: list[BaseException] = []

    def failed(error: BaseException) -> None:
        errors.append(error)
        stopping.set()

    observer = Observer(metrics)
    gateway = build(settings, health, observer, failed)
    server = _Server(_config(settings, gateway, observer))
    serving = asyncio.create_task(server.serve(sockets=[taken]), name="serve")
    showing = asyncio.create_task(_show(gateway, server, observer), name="show")
    waiting = asyncio.create_task(stopping.wait(), name="stop-signal")
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    for task in (waiting, showing):
        task.cancel()
    await asyncio.wait({serving, waiting, showing})
    error = errors[0] if errors else serving.exception()
    if error is None:
        return 0
    log.error("Stopped by an error", action="stop.crash", **brief(error))
    return 1


def _config(settings: IngestGatewaySettings, gateway: Gateway, observer: Observer) -> uvicorn.Config:
    patience = Patience(settings.connections, settings.request_seconds, settings.idle_seconds, observer.refused)
    return uvicorn.Config(
        gateway,
        http=functools.partial(Connection, patience),  # type: ignore[arg-type]  # called like the class it stands for
        loop="none",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(settings.idle_seconds) or 1,
        timeout_graceful_shutdown=int(settings.drain_seconds) or 1,
    )


async def _show(gateway: Gateway, server: uvicorn.Server, observer: Observer) -> NoReturn:
    while True:
        observer.holds(gateway.in_flight, len(server.server_state.connections))
        await asyncio.sleep(SHOW_SECONDS)


async def serve_alone(settings: IngestGatewaySettings, taken: socket.socket) -> int:
    """Be the one process that takes events, and serve its pages; returns the exit code."""
    stopping = stop_signal(settings.stop_grace_seconds)
    health, metrics = new_health(), Metrics("ingest-gateway")
    pages = Pages(settings.web_host, settings.web_port, health, metrics)
    await pages.start()
    try:
        return await work(settings, taken, stopping, health, metrics)
    finally:
        await pages.stop()


def stop_signal(grace_seconds: float) -> asyncio.Event:
    """Return what is set by SIGTERM and SIGINT; the process ends when stopping then takes longer than the grace."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    StopWatchdog(grace_seconds, lambda: loop.call_soon_threadsafe(stopping.set)).start()
    return stopping


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a process's main coroutine."""
    _allow_files()
    return asyncio.run(main)


def brief(error: BaseException) -> dict[str, object]:
    """Describe an error for the log without its stack."""
    described = describe_error(error)
    return {key: described[key] for key in ("error", "error_text") if key in described}


def _allow_files() -> None:
    """Ask for as many open files as this user may have: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
