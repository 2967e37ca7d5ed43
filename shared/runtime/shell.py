"""The shell of a service's process: a Faust app that only runs our services, started and stopped in a bounded way."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import faust
import mode
from faust.app.base import BootStrategy

from shared.runtime.errors import RapportError
from shared.runtime.health import Health
from shared.runtime.logs import configure_logs, logger
from shared.runtime.metrics import Metrics
from shared.runtime.pages import Pages
from shared.runtime.redaction import brief
from shared.runtime.settings import RuntimeSettings, settings_or_exit
from shared.runtime.watchdog import hold_stop_signals, stop_signal

log = logger(__name__)

S = TypeVar("S", bound=RuntimeSettings)


class _OurServicesOnly(BootStrategy):
    """Starts neither Faust's producer nor its consumer, agents and tables: our services bring what they need."""

    enable_kafka = False


class ServiceApp(faust.App):
    """A Faust app as the lifecycle of our services: ordered start, stop in reverse, a crash of one stops all."""

    producer_only = True
    BootStrategy = _OurServicesOnly

    async def on_first_start(self) -> None:
        """Leave the disk alone: Faust would create a folder for tables, and we have none."""

    async def on_start(self) -> None:
        """Settle the configuration; Faust would also build a consumer, with an event loop that nobody closes."""
        self.finalize()


class _Worker(faust.Worker):
    def install_signal_handlers(self) -> None:
        """Leave signals to the watchdog's thread, and SIGUSR1 uninstalled: Faust's dump prints values."""


def build_app(
    service: str,
    settings: RuntimeSettings,
    *,
    services: Sequence[mode.Service],
    health: Health,
    metrics: Metrics,
) -> ServiceApp:
    """Build the app of a service from services that are already wired.

    They start in this order, after the pages, and stop in reverse. What holds work under way drains in `on_stop` (its
    tasks are cancelled after that); pools close in `on_shutdown`.
    """
    app = ServiceApp(
        service,
        # Environment variables for Faust itself would reach around our settings.
        env={},
        broker=[f"kafka://{broker}" for broker in settings.kafka_bootstrap_servers.split(",")],
        store="memory://",
        autodiscover=False,
        debug=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        worker_redirect_stdouts=False,
        topic_allow_declare=False,
    )
    app.web_server(Pages(settings.web_host, settings.web_port, health, metrics))
    for instance in services:
        app.service(instance)  # type: ignore[arg-type]  # Faust takes instances too and forgot to say so
    return app


def run_service(service: str, kind: type[S], compose: Callable[[S], ServiceApp]) -> NoReturn:
    """Do what `python -m services.<service>` does: read settings, compose the app, run it, exit.

    Exit codes: 0 after SIGTERM or SIGINT, 1 after an error (also while composing) or an overrun stop, 2 for settings
    that are wrong. Errors of ours are shown by their text, without a stack trace.
    """
    hold_stop_signals()
    settings = settings_or_exit(service, kind)
    configure_logs(service, settings)
    try:
        app = compose(settings)
    except RapportError as error:
        log.error("Service can't start", action="service.refuse", **brief(error))  # noqa: TRY400 - ours need no stack
        sys.exit(1)
    run(app, settings)


def run(app: ServiceApp, settings: RuntimeSettings) -> NoReturn:
    """Run an app until a stop signal or a crash, and exit with 0 or 1."""
    sys.exit(asyncio.run(_serve(app, settings.stop_grace_seconds)))


async def _serve(app: ServiceApp, grace_seconds: float) -> int:
    signalled, watchdog = stop_signal(grace_seconds)
    worker = _Worker(app, debug=False, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    # Worker.start() returns only when the worker stops or crashes.
    running = asyncio.create_task(worker.start(), name="worker")
    waiting = asyncio.create_task(signalled.wait(), name="stop-signal")
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    watchdog.arm("error")
    await worker.stop()
    await _end(running, waiting)
    error = worker.crash_reason or _error_of(running)
    if error is None:
        log.info("Stopped", action="stop.end")
        return 0
    log.error("Stopped by an error", action="stop.crash", **brief(error))
    return 1


async def _end(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _error_of(task: asyncio.Task[object]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
