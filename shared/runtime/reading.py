"""The batch consumer: poll, wait a little for more, apply; after a passing fault, start from PostgreSQL again."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from shared.runtime import kafka_input, positions
from shared.runtime.errors import FencedError
from shared.runtime.group import Group
from shared.runtime.intake import Place, Position
from shared.runtime.integrity import check_ids, check_ranges
from shared.runtime.logs import logger
from shared.runtime.records import Record
from shared.runtime.retry import Backoff, Verdict, verdict

log = logger(__name__)

POLL_SECONDS = 0.5
ADVISE_SECONDS = 5.0
ROOM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A poll for the next batch while one is applied, and the positions as they were known when it began."""

    positions: Mapping[Place, Position]
    poll: "asyncio.Task[dict[Place, Sequence[Record]]]"


class Reader:
    """Reads the held lanes until cancelled.

    Offsets are committed to Kafka as advice to lag tools only; nothing ever starts from them.
    """

    def __init__(self, group: Group, consumer: AIOKafkaConsumer) -> None:
        self._group = group
        self._consumer = consumer
        self._backoff = Backoff()
        self._advised_at = 0.0
        self._ahead: _Ahead | None = None

    async def run(self) -> None:
        """Read and apply.

        Raises:
            FencedError: a lane has a newer owner: join the group anew.
            FatalError: going on would lose or repeat effects.
        """
        try:
            await self._run()
        finally:
            if self._ahead is not None:
                self._ahead.poll.cancel()
                await asyncio.wait({self._ahead.poll})

    async def _run(self) -> None:
        group = self._group
        while True:
            began_at = time.perf_counter()
            polled = await self._next()
            group.health.moved()
            group.metrics.gauge("crm_consumer_last_poll_timestamp_seconds").set(group.clock.now().timestamp())
            if polled:
                took = time.perf_counter() - began_at
                group.metrics.histogram("crm_batch_duration_seconds", phase="poll").observe(took)
                group.failpoints.hit("after_poll")
                await self._room()
                if sum(map(len, polled.values())) >= group.settings.batch_max_events // 2:
                    # While PostgreSQL works, this process has nothing better to do than to parse what comes next.
                    poll = asyncio.create_task(self._poll())
                    poll.add_done_callback(_look_away)
                    self._ahead = _Ahead(group.processor.positions, poll)
                await self._apply(polled)
            await self._advise()

    async def _next(self) -> dict[Place, Sequence[Record]]:
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return await self._poll()
        polled = await ahead.poll
        # Positions that are loaded anew are another mapping: a lane changed hands or a batch failed, and where this
        # poll began is not where to go on. Dropped, it must be read again.
        if ahead.positions is self._group.processor.positions:
            return polled
        await self.recover()
        return {}

    async def _poll(self) -> dict[Place, Sequence[Record]]:
        settings = self._group.settings
        polled: dict[Place, Sequence[Record]] = {}
        try:
            polled = await kafka_input.poll(self._consumer, POLL_SECONDS, settings.batch_max_events)
            count = sum(map(len, polled.values()))
            if 0 < count < settings.batch_max_events // 10 and settings.linger_seconds:
                # Each batch costs a COMMIT: a few milliseconds more make hundreds of small batches one.
                await asyncio.sleep(settings.linger_seconds)
                more = await kafka_input.poll(self._consumer, 0, settings.batch_max_events - count)
                for place, records in more.items():
                    polled[place] = [*polled.get(place, ()), *records]
        except NoOffsetForPartitionError:
            # Kafka's group knows no offset, and we never ask it for one: the partition was assigned a moment ago, and
            # its position comes from PostgreSQL by `seek`. What the first poll gave is not given again.
            return polled
        except OffsetOutOfRangeError:
            # Cut, deleted by retention, or another topic of that name: say which, instead of starting anywhere.
            await self.check()
            raise
        return polled

    async def _apply(self, polled: dict[Place, Sequence[Record]]) -> None:
        group = self._group
        try:
            async with group.processor.lock:
                try:
                    await group.processor.process(polled, self._same_topics())
                except Exception as error:
                    _raise_unless_passing(error)
                    log.warning("A batch failed and is read again", action="batch.retry", exc_info=error)
                    # Before anybody else: whoever slept past its session learns here that it is fenced.
                    await self._go_back()
                else:
                    self._backoff.succeeded()
                    return
            await group.publisher.take_over()
            await self._pause()
        except Exception as error:
            _raise_unless_passing(error)
            log.warning("Positions cannot be loaded yet", action="recover.retry", exc_info=error)
            await self._pause()
            await self.recover()

    async def recover(self) -> None:
        """Load positions anew and go back to them: after an error around COMMIT only PostgreSQL knows.

        Raises:
            FencedError: a lane has a newer owner.
        """
        group = self._group
        while True:
            try:
                async with group.processor.lock:
                    await self._go_back()
                await group.publisher.take_over()
            except Exception as error:
                _raise_unless_passing(error)
                log.warning("Positions cannot be loaded yet", action="recover.retry", exc_info=error)
                await self._pause()
            else:
                return

    async def _pause(self) -> None:
        # Who waits for Kafka or PostgreSQL is alive: a restart would not bring them back.
        self._group.health.moved()
        await asyncio.sleep(self._backoff.pause())

    async def _room(self) -> None:
        while True:
            try:
                async with asyncio.timeout(ROOM_SECONDS):
                    await self._group.publisher.room()
            except TimeoutError:
                self._group.health.moved()  # as above
            else:
                return

    async def _go_back(self) -> None:
        group = self._group
        group.processor.forget()
        lanes = group.claims.lanes
        async with group.transactions.begin(lanes) as transaction:
            stored = await positions.load(transaction.connection, group.name, lanes, group.inputs)
        group.processor.positions = {place: one.position for place, one in stored.items()}
        for (topic, lane), position in group.processor.positions.items():
            self._consumer.seek(TopicPartition(topic, lane), position.next_offset)

    async def check(self) -> None:
        """Compare positions with the topics as they are now.

        Raises:
            TopicRecreatedError, RetentionPassedError, LogTruncatedError: what is wrong.
        """
        group = self._group
        held, known = dict(group.processor.positions), group.processor.topic_ids
        if not held:
            return
        begins = await kafka_input.begins(self._consumer, held)
        # In this order: a position that moves on meanwhile is then neither before the start nor past the end.
        now = {place: at for place, at in group.processor.positions.items() if place in begins}
        ends = await kafka_input.ends(self._consumer, now)
        await self._compare_ids(known)
        check_ranges(now, begins, ends)

    def _same_topics(self) -> "asyncio.Task[None]":
        """Begin to prove that what was fetched until now came from the topics that our positions mean something in.

        A topic that is made anew within a moment goes unseen by the consumer, which reads on in the new one.
        """
        proof = asyncio.create_task(self._compare_ids(self._group.processor.topic_ids))
        proof.add_done_callback(_look_away)
        return proof

    async def _compare_ids(self, known: Mapping[str, UUID]) -> None:
        check_ids(known, await asyncio.to_thread(self._group.admin.topic_ids, list(known)))

    async def _advise(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._advised_at >= ADVISE_SECONDS:
            self._advised_at = now
            await self.advise()

    async def advise(self) -> None:
        """Tell Kafka's group how far we are; a refusal changes nothing for us."""
        offsets = {
            TopicPartition(topic, lane): position.next_offset
            for (topic, lane), position in self._group.processor.positions.items()
        }
        if offsets:
            with suppress(KafkaError):
                await self._consumer.commit(offsets)


def _raise_unless_passing(error: Exception) -> None:
    if verdict(error) is not Verdict.RETRY or isinstance(error, FencedError):
        raise error


def _look_away(task: "asyncio.Task[Any]") -> None:
    # Nobody awaits the proof of a batch that failed before, or the poll of a reader that ends.
    if not task.cancelled():
        task.exception()
