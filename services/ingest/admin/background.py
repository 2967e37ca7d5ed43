"""Replays that go on after the answer: one at a time, each with a connection of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka.errors import KafkaError
from psycopg import Connection, OperationalError

from services.ingest.quarantine import sending
from services.ingest.quarantine.judging import judging_reader
from services.ingest.quarantine.selecting import Scope
from services.ingest.quarantine.sending import AlreadyRunning, Job
from shared.runtime.logs import logger
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A replay under way in this process."""

    id: int
    stopping: asyncio.Event
    task: "asyncio.Task[None]"


class BackgroundReplays:
    """Starts replays and lets them go on; whatever ends them, the next one takes up what is left."""

    def __init__(self, settings: RuntimeSettings, connect: Callable[[], Connection]) -> None:
        self._settings = settings
        self._connect = connect
        self._running: dict[int, Running] = {}

    async def start(self, scope: Scope, actor: str, *, again: bool) -> int | AlreadyRunning:
        """Begin a replay and return its number.

        Raises:
            KafkaError, OSError: Kafka does not answer; nothing was begun.
            psycopg.OperationalError: PostgreSQL does not.
        """
        producing = Producing(self._settings)
        try:
            await producing.start()
            job = await asyncio.to_thread(self._begin, scope, actor, again=again)
        except BaseException:
            await producing.stop()
            raise
        if isinstance(job, AlreadyRunning):
            await producing.stop()
            return job
        stopping = asyncio.Event()
        task = asyncio.create_task(self._run(job, producing, stopping), name=f"replay-{job.id}")
        self._running[job.id] = Running(job.id, stopping, task)
        task.add_done_callback(lambda _done: self._running.pop(job.id, None))
        return job.id

    def stop(self, replay: int) -> bool:
        """Ask a replay to stop after its page; returns whether it runs here."""
        running = self._running.get(replay)
        if running is not None:
            running.stopping.set()
        return running is not None

    async def close(self) -> None:
        """Stop what runs, and wait for it."""
        tasks = [running.task for running in self._running.values()]
        for running in self._running.values():
            running.stopping.set()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, scope: Scope, actor: str, *, again: bool) -> Job | AlreadyRunning:
        connection = self._connect()
        try:
            job = sending.begin(connection, judging_reader(connection), scope, actor, self._settings.lanes, again=again)
        except BaseException:
            connection.close()
            raise
        if isinstance(job, AlreadyRunning):
            connection.close()
        return job

    async def _run(self, job: Job, producing: Producing, stopping: asyncio.Event) -> None:
        try:
            state = await sending.run(job, producing, stopping=stopping.is_set)
        except (KafkaError, OSError, OperationalError) as error:
            log.warning("A replay stopped", action="replay.stop", replay=job.id, error=type(error).__name__)
        else:
            log.info("A replay ended", action="replay.end", replay=job.id, state=state.value)
        finally:
            await producing.stop()
            job.connection.close()
