"""The producer: whole batches to one partition at a time, acknowledged by every replica, never reordered."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from shared.contracts.envelope import Headers
from shared.contracts.topics import LARGEST_MESSAGE_BYTES
from shared.runtime.errors import FatalError
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.settings import RuntimeSettings

BATCH_BYTES = 256 * 1024
ENVELOPE_BYTES = 64 * 1024


class MessageTooLargeError(FatalError):
    """A message does not fit into a request; the broker would refuse it for ever."""

    def __init__(self, topic: str, size: int) -> None:
        super().__init__(f"a message of {size} bytes for {topic} is over the limit of {LARGEST_MESSAGE_BYTES} bytes")


class Producing:
    """Sends runs of messages; one process has one.

    Idempotent with acks=all: what is acknowledged is on every in-sync replica once and in order. After an error the
    outcome is unknown and the run is sent again from what PostgreSQL holds.
    """

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=LARGEST_MESSAGE_BYTES,
            metadata_max_age_ms=int(self._settings.metadata_max_age_seconds * 1000),
        )
        await self._producer.start()

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
        """
        producer = self._producer
        assert producer is not None  # noqa: S101 - started before anything is processed
        sent: list[tuple[asyncio.Future[RecordMetadata], int]] = []
        batch = producer.create_batch()
        for message, headers in run:
            if batch.append(key=message.key, value=message.value, timestamp=None, headers=headers) is not None:
                continue
            if batch.record_count():
                sent.append((await producer.send_batch(batch, topic, partition=lane), batch.record_count()))
                batch = producer.create_batch()
                if batch.append(key=message.key, value=message.value, timestamp=None, headers=headers) is not None:
                    continue
            # Larger than a batch of ours: it travels alone.
            size = len(message.value or b"")
            if size > LARGEST_MESSAGE_BYTES - ENVELOPE_BYTES:
                raise MessageTooLargeError(topic, size)
            future = await producer.send(topic, message.value, message.key, partition=lane, headers=headers)
            sent.append((future, 1))
            batch = producer.create_batch()
        if batch.record_count():
            sent.append((await producer.send_batch(batch, topic, partition=lane), batch.record_count()))
        return [((await future).offset, count) for future, count in sent]
