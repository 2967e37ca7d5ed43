"""One process that looks after several: it starts them at one socket, starts them again, and speaks for them."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from services.ingest.gateway.app import new_health
from services.ingest.gateway.serving import run, work
from services.ingest.gateway.settings import SERVICE, IngestGatewaySettings
from shared.runtime.health import Failed, Health, Passed, Report
from shared.runtime.logs import configure_logs, logger
from shared.runtime.metrics import Metrics
from shared.runtime.pages import Pages
from shared.runtime.retry import Backoff
from shared.runtime.settings import settings_for
from shared.runtime.watchdog import hold_stop_signals, stop_signal

log = logger(__name__)

REPORT_SECONDS = 1.0
FRESH_SECONDS = 10.0
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client knows that several processes share their figures."""


@dataclass(slots=True, eq=False)
class _Member:
    """One process and what it last said of itself; the pipe's end tells it that we are gone."""

    process: BaseProcess
    pipe: Connection
    report: Report | None = None
    reported_at: float = -FRESH_SECONDS
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class _Overall(Health):
    """The health of all: ready when one of them is, for that one answers."""

    def __init__(self, members: Sequence[_Member | None]) -> None:
        super().__init__(())
        self._members = members

    def readiness(self) -> Report:
        """Report the best that a process said lately."""
        now = asyncio.get_running_loop().time()
        fresh = [one.report for one in self._members if one and one.report and now - one.reported_at < FRESH_SECONDS]
        found = next((report for report in fresh if report.ok), fresh[0] if fresh else Report(()))
        ready = sum(report.ok for report in fresh)
        said = f"{ready} of {len(self._members)} processes are ready"
        return Report((*found.checks, Passed("processes", said) if ready else Failed("processes", said)))


class _SharedMetrics(Metrics):
    """The figures of all processes together, and the usual ones of this one."""

    def __init__(self, folder: Path) -> None:
        super().__init__("ingest-gateway")
        self._shared = CollectorRegistry()
        ProcessCollector(registry=self._shared)
        MultiProcessCollector(self._shared, path=str(folder))  # type: ignore[no-untyped-call]  # the library's

    def exposition(self) -> bytes:
        """Render them in Prometheus' text format."""
        return generate_latest(self._shared)


class Supervisor:
    """Keeps a number of processes alive until told to stop; one that ends is replaced after a pause that grows."""

    def __init__(self, settings: IngestGatewaySettings, taken: socket.socket, folder: Path) -> None:
        self._settings = settings
        self._taken = taken
        self._folder = folder
        self._members: list[_Member | None] = [None] * settings.workers
        self._context = multiprocessing.get_context("spawn")

    async def run(self) -> int:
        """Serve until a stop signal; returns the exit code."""
        stopping, _ = stop_signal(self._settings.stop_grace_seconds)
        health = _Overall(self._members)
        pages = Pages(self._settings.web_host, self._settings.web_port, health, _SharedMetrics(self._folder))
        await pages.start()
        keeping = [
            asyncio.create_task(self._keep(place), name=f"member-{place}") for place in range(len(self._members))
        ]
        try:
            while not stopping.is_set():
                health.moved()
                with suppress(TimeoutError):
                    async with asyncio.timeout(REPORT_SECONDS):
                        await stopping.wait()
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.wait(keeping)
            await self._end()
            await pages.stop()
        return 0

    async def _keep(self, place: int) -> NoReturn:
        backoff = Backoff(first=0.2)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            member = self._members[place] = self._start()
            await member.ended.wait()
            self._forget(member)
            if loop.time() - began > FRESH_SECONDS:
                backoff.succeeded()
            code = member.process.exitcode
            log.warning(
                "A process ended and is started again", action="member.ended", pid=member.process.pid, code=code
            )
            await asyncio.sleep(backoff.pause())

    def _start(self) -> _Member:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_member, args=(self._taken, theirs), name="ingest-gateway")
        process.start()
        # The library's own helper, which comes with the first one, lets them through again.
        hold_stop_signals()
        theirs.close()
        member = _Member(process, ours)
        loop = asyncio.get_running_loop()
        loop.add_reader(ours.fileno(), self._hear, member)
        return member

    def _hear(self, member: _Member) -> None:
        try:
            member.report = member.pipe.recv()
            member.reported_at = asyncio.get_running_loop().time()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(member.pipe.fileno())
            member.ended.set()

    def _forget(self, member: _Member) -> None:
        member.process.join(REPORT_SECONDS)
        member.pipe.close()
        if member.process.pid is not None:
            mark_process_dead(member.process.pid, str(self._folder))  # type: ignore[no-untyped-call]  # the library's

    async def _end(self) -> None:
        """Tell all to stop and wait for them; the watchdog ends this wait, and they have one of their own."""
        members = [member for member in self._members if member is not None and not member.ended.is_set()]
        for member in members:
            if member.process.pid is not None:
                os.kill(member.process.pid, signal.SIGTERM)
        await asyncio.gather(*(member.ended.wait() for member in members))
        for member in members:
            self._forget(member)


def supervise(settings: IngestGatewaySettings, taken: socket.socket) -> int:
    """Be the process that looks after the others; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="rapport-gateway-"))
    # Theirs to see: this process has imported the library already and counts by itself.
    os.environ[METRICS_FOLDER] = str(folder)
    try:
        return run(Supervisor(settings, taken, folder).run())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _member(taken: socket.socket, pipe: Connection) -> None:
    """Be one of the processes: take events until a signal, an error, or the end of who started us."""
    hold_stop_signals()
    settings = settings_for(SERVICE, IngestGatewaySettings)
    configure_logs("ingest-gateway", settings)
    raise SystemExit(run(_take_part(settings, taken, pipe)))


async def _take_part(settings: IngestGatewaySettings, taken: socket.socket, pipe: Connection) -> int:
    stopping, _ = stop_signal(settings.stop_grace_seconds)
    health = new_health()
    asyncio.get_running_loop().add_reader(pipe.fileno(), stopping.set)
    reporting = asyncio.create_task(_report(health, pipe), name="report")
    try:
        return await work(settings, taken, stopping, health, Metrics("ingest-gateway"))
    finally:
        reporting.cancel()


async def _report(health: Health, pipe: Connection) -> NoReturn:
    while True:
        try:
            pipe.send(health.readiness())
        except OSError:
            log.warning("Nobody looks after this process any more", action="member.alone")
        await asyncio.sleep(REPORT_SECONDS)
