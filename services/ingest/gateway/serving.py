"""A process that takes events: uvicorn on a socket, its pages beside it, stopped within the grace."""

import asyncio
import functools
import resource
import socket
from collections.abc import Coroutine
from typing import Any, NoReturn

import uvicorn

from services.ingest.gateway.app import build, new_health
from services.ingest.gateway.application import Gateway
from services.ingest.gateway.connections import Connection, Patience
from services.ingest.gateway.observing import Observer
from services.ingest.gateway.settings import IngestGatewaySettings
from shared.runtime.health import Health
from shared.runtime.http_server import HttpServer, config_of
from shared.runtime.listening import listen, url_of
from shared.runtime.logs import logger
from shared.runtime.metrics import Metrics
from shared.runtime.pages import Pages
from shared.runtime.redaction import brief
from shared.runtime.watchdog import stop_signal

log = logger(__name__)

BACKLOG = 2048
SHOW_SECONDS = 1.0
TICKS_A_SECOND = 10


class _Server(HttpServer):
    """The server with a look at time."""

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_SECOND == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.sweep(now)
        return await super().on_tick(counter)


def take_port(settings: IngestGatewaySettings) -> socket.socket:
    """Take the port, and say where.

    Raises:
        PortTakenError: something else has it.
    """
    taken = listen(settings.host, settings.port, "CRM_INGEST_GATEWAY_PORT", BACKLOG)
    log.info("Events are taken", action="gateway.listen", url=url_of(taken.getsockname()[:2]))
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
    showing = asyncio.create_task(_show(gateway, server, observer), name="show")
    ended_by = await server.serve_until(stopping, taken)
    showing.cancel()
    await asyncio.wait({showing})
    error = errors[0] if errors else ended_by
    if error is None:
        return 0
    log.error("Stopped by an error", action="stop.crash", **brief(error))
    return 1


def _config(settings: IngestGatewaySettings, gateway: Gateway, observer: Observer) -> uvicorn.Config:
    patience = Patience(settings.connections, settings.request_seconds, settings.idle_seconds, observer.refused)
    return config_of(
        gateway,
        settings.drain_seconds,
        http=functools.partial(Connection, patience),
        loop="none",
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(settings.idle_seconds) or 1,
    )


async def _show(gateway: Gateway, server: uvicorn.Server, observer: Observer) -> NoReturn:
    while True:
        observer.holds(gateway.in_flight, len(server.server_state.connections))
        await asyncio.sleep(SHOW_SECONDS)


async def serve_alone(settings: IngestGatewaySettings, taken: socket.socket) -> int:
    """Be the one process that takes events, and serve its pages; returns the exit code."""
    stopping, _ = stop_signal(settings.stop_grace_seconds)
    health, metrics = new_health(), Metrics("ingest-gateway")
    pages = Pages(settings.web_host, settings.web_port, health, metrics)
    await pages.start()
    try:
        return await work(settings, taken, stopping, health, metrics)
    finally:
        await pages.stop()


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a process's main coroutine."""
    _allow_files()
    return asyncio.run(main)


def _allow_files() -> None:
    """Ask for as many open files as this user may have: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
