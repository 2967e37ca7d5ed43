"""One membership in the consumer group, from join to leave, with every loop that lives as long as it does."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from shared.runtime.assignment import Assignment
from shared.runtime.auditor import Auditor
from shared.runtime.errors import FatalError, FencedError
from shared.runtime.group import Group
from shared.runtime.kafka_input import PEEK_BYTES, new_consumer, new_reader
from shared.runtime.logs import logger
from shared.runtime.monitor import Monitor
from shared.runtime.publisher import Publisher
from shared.runtime.reading import Reader
from shared.runtime.retry import Backoff, Verdict, verdict
from shared.runtime.ticker import Ticker
from shared.runtime.watchdog import within

log = logger(__name__)

LEAVE_SECONDS = 8.0
LONG_SECONDS = 30.0
CANCEL_AGAIN_SECONDS = 1.0


class Membership:
    """Joins, works, and joins anew whenever a lane turns out to have a newer owner.

    Claiming again at sight, without a new join, would have two workers fence each other for ever.
    """

    def __init__(self, group: Group) -> None:
        self._group = group
        # Shown from the start: the rate of a counter that appears at 1 is 0.
        for counter in ("crm_consumer_fenced_total", "crm_consumer_rebalances_total"):
            group.metrics.counter(counter).inc(0)

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            FatalError and unknown errors: the process must end and say why.
        """
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            self._group.health.moved()  # a broker that is away makes us unready, never dead
            try:
                await self._session()
            except FencedError:
                self._group.metrics.counter("crm_consumer_fenced_total").inc()
                log.warning("Fenced: joining the group anew", action="membership.fenced")
            except Exception as error:
                if verdict(error) is not Verdict.RETRY:
                    raise
                log.warning("The session ended and is begun anew", action="membership.retry", exc_info=error)
            if loop.time() - begun_at > LONG_SECONDS:
                backoff.succeeded()
            await asyncio.sleep(backoff.pause())

    async def _session(self) -> None:
        group = self._group
        consumer, looker = new_consumer(group.settings, group.name), new_reader(group.settings)
        peeker = new_reader(group.settings, PEEK_BYTES)
        assignment = Assignment(group, consumer)
        reader = Reader(group, consumer)
        try:
            await consumer.start()
            await looker.start()
            await peeker.start()
            consumer.subscribe(list(group.inputs), listener=assignment)
            await _first_end(
                _failure(assignment),
                reader.run(),
                _publish(group.publisher, reader),
                Ticker(group, looker).run(),
                Auditor(group, looker).run(),
                Monitor(group, looker, peeker, reader).run(),
            )
        finally:
            await within(LEAVE_SECONDS, "let go", assignment.close())
            await within(LEAVE_SECONDS, "leave the group", consumer.stop())
            await within(LEAVE_SECONDS, "stop looking", looker.stop())
            await within(LEAVE_SECONDS, "stop peeking", peeker.stop())
            group.health.unsatisfied("joined", "not in the group")


async def _publish(publisher: Publisher, reader: Reader) -> None:
    backoff = Backoff()
    while True:
        try:
            await publisher.run()
        except Exception as error:
            if verdict(error) is not Verdict.RETRY or isinstance(error, FencedError):
                raise
            log.warning("Publishing failed and starts again", action="publish.retry", exc_info=error)
            await asyncio.sleep(backoff.pause())
            await reader.recover()


async def _failure(assignment: Assignment) -> None:
    await assignment.failure


async def _first_end(*loops: Coroutine[Any, Any, None]) -> None:
    """Run loops that never end by themselves; raise what ended the first, the gravest if several did at once."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        running = set(tasks)
        while running:
            for task in running:
                task.cancel()
            # Libraries may swallow a cancellation: without another one nobody would work, and nobody would end.
            _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
    errors = [error for task in done if not task.cancelled() and (error := task.exception()) is not None]
    raise min(errors, key=_gravity, default=asyncio.CancelledError())


def _gravity(error: BaseException) -> int:
    if isinstance(error, FatalError):
        return 0
    return 2 if isinstance(error, FencedError) else 1
