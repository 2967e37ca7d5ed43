"""The producer: whole batches to one partition at a time, acknowledged by every replica, never reordered."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from shared.contracts.envelope import Headers
from shared.contracts.topics import LARGEST_MESSAGE_BYTES
from shared.runtime.errors import FatalError
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.settings import RuntimeSettings
from shared.runtime.watchdog import within

BATCH_BYTES = 256 * 1024
ENVELOPE_BYTES = 64 * 1024
STOP_SECONDS = 5.0


class MessageTooLargeError(FatalError):
    """A message does not fit into a request; the broker would refuse it for ever."""

    def __init__(self, topic: str, size: int) -> None:
        super().__init__(f"a message of {size} bytes for {topic} is over the limit of {LARGEST_MESSAGE_BYTES} bytes")


class Producing:
    """Sends runs of messages; one process has one.

    Idempotent with acks=all: what is acknowledged is on every in-sync replica once and in order. After an error the
    outcome is unknown, the run is sent again from what PostgreSQL holds, and by a new producer: the old one has counted
    a sequence that the broker never saw, and every later batch would be refused.
    """

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._broken = False
        self._renewing = asyncio.Lock()
        self._heard_of: set[tuple[str, int]] = set()

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaError: no broker answers; the next run that is sent tries again.
        """
        self._broken = True
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_MESSAGE_BYTES,
            metadata_max_age_ms=int(self._settings.metadata_max_age_seconds * 1000),
        )
        await self._producer.start()
        self._broken = False

    async def ask(self) -> None:
        """Return when a broker answered, connecting first if need be.

        Raises:
            KafkaError: none did.
        """
        producer = await self._sound()
        if not await producer.client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")

    async def stop(self) -> None:
        """Flush and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def produce(self, messages: Sequence[DirectMessage]) -> None:
        """Send messages and return when all are acknowledged."""
        runs: dict[tuple[str, int], list[tuple[Message, Headers]]] = defaultdict(list)
        for direct in messages:
            runs[direct.topic, direct.lane].append((direct.message, direct.message.headers))
        await asyncio.gather(*(self.send(topic, lane, run) for (topic, lane), run in runs.items()))

    async def send(self, topic: str, lane: int, run: Iterable[tuple[Message, Headers]]) -> list[tuple[int, int]]:
        """Send a run of messages with their final headers to one partition, in order.

        Returns, once all are acknowledged, the offsets they took as (first, count) stretches in order.

        Raises:
            MessageTooLargeError: before anything after that message was sent.
            KafkaError: some or all were not acknowledged.
        """
        producer = await self._sound()
        try:
            return await self._send(producer, topic, lane, run)
        except KafkaError:
            self._broken = self._broken or producer is self._producer
            raise

    async def _sound(self) -> AIOKafkaProducer:
        async with self._renewing:
            if self._broken or self._producer is None:
                await within(STOP_SECONDS, "stop the producer", self.stop())
                self._heard_of.clear()
                await self.start()
            return self._producer

    async def _send(
        self, producer: AIOKafkaProducer, topic: str, lane: int, run: Iterable[tuple[Message, Headers]]
    ) -> list[tuple[int, int]]:
        sent: list[tuple[asyncio.Future[RecordMetadata], int]] = []
        batch = producer.create_batch()
        for message, headers in run:
            size = len(message.value or b"")
            if size > LARGEST_MESSAGE_BYTES - ENVELOPE_BYTES:
                raise MessageTooLargeError(topic, size)
            if batch.append(key=message.key, value=message.value, timestamp=None, headers=headers) is None:
                sent.append(await self._submit(producer, batch, topic, lane))
                batch = producer.create_batch()
                # A first message is taken whatever its size.
                batch.append(key=message.key, value=message.value, timestamp=None, headers=headers)
        if batch.record_count():
            sent.append(await self._submit(producer, batch, topic, lane))
        return [((await future).offset, count) for future, count in sent]

    async def _submit(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, topic: str, lane: int
    ) -> "tuple[asyncio.Future[RecordMetadata], int]":
        future = await producer.send_batch(batch, topic, partition=lane)
        if (topic, lane) not in self._heard_of:
            # The broker takes any sequence from a producer that it does not know: were this batch refused, the next
            # one would be accepted, and the log would have a hole.
            await future
            self._heard_of.add((topic, lane))
        return future, batch.record_count()
