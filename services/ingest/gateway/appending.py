"""What waits for Kafka: records of many requests go together, and each request learns when its own are safe."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

from aiokafka.errors import KafkaError

from shared.contracts.envelope import Headers
from shared.contracts.topics import RAW_EVENTS
from shared.runtime.errors import RapportError
from shared.runtime.failpoints import Failpoints
from shared.runtime.handler import Message
from shared.runtime.logs import logger

log = logger(__name__)

RUN_BYTES = 1024 * 1024
"""Bytes that go to one partition at once, or one request's if that is more."""

Run = Sequence[tuple[Message, Headers]]


class Log(Protocol):
    """Where records are kept: returns when every replica has them, raises when that is not known."""

    async def send(self, topic: str, lane: int, run: Iterable[tuple[Message, Headers]]) -> object:
        """Write a run of messages to one partition, in order."""
        ...


class NotWrittenError(Exception):
    """Kafka did not say that it has the records: whoever sent them must send them again."""


@dataclass(slots=True, eq=False)
class _Waiting:
    run: Run
    size: int
    done: "asyncio.Future[None]"


class Appender:
    """Writes to all lanes at once, one run a lane at a time; while those are under way, what comes is gathered.

    So few requests wait for nobody, and many share a round trip. `append` may be given up at any time: what was not
    yet handed to Kafka is then not written, what was is unknown.
    """

    def __init__(self, kafka: Log, lanes: int, failpoints: Failpoints) -> None:
        self._kafka = kafka
        self._failpoints = failpoints
        self._lanes = lanes
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Semaphore(0)

    async def append(self, run: Run, size: int) -> None:
        """Return when the records are on every in-sync replica; `size` is their bytes.

        Raises:
            NotWrittenError: that is not known, or surely not so.
        """
        waiting = _Waiting(run, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._wake.release()
        try:
            await waiting.done
        except asyncio.CancelledError:
            # Its place is only found when a lane is free again, which may be long: nothing may be held until then.
            waiting.run, waiting.size = (), 0
            raise

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            for lane in range(self._lanes):
                lanes.create_task(self._serve(lane), name=f"append-{lane}")
        raise AssertionError("lanes are served for ever")

    async def _serve(self, lane: int) -> NoReturn:
        while True:
            await self._wake.acquire()
            taken = self._take()
            if taken:
                await self._write(lane, taken)

    def _take(self) -> list[_Waiting]:
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and (not taken or size + self._waiting[0].size <= RUN_BYTES):
            first = self._waiting.popleft()
            if not first.done.done():
                taken.append(first)
                size += first.size
        return taken

    async def _write(self, lane: int, taken: Sequence[_Waiting]) -> None:
        try:
            self._failpoints.hit("before_publish")
            await self._kafka.send(RAW_EVENTS.name, lane, [pair for one in taken for pair in one.run])
            self._failpoints.hit("after_publish")
        except (KafkaError, RapportError, OSError) as error:
            log.warning("Kafka did not take records", action="append.failed", lane=lane, error=type(error).__name__)
            self._settle(taken, NotWrittenError())
        except asyncio.CancelledError:
            self._settle(taken, NotWrittenError())
            raise
        else:
            self._settle(taken, None)

    def _settle(self, taken: Sequence[_Waiting], error: NotWrittenError | None) -> None:
        for one in taken:
            if not one.done.done():
                if error is None:
                    one.done.set_result(None)
                else:
                    one.done.set_exception(error)
