"""Live probes: customers look at a product now, and both the entry and the clock's exit are timed from outside."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.codec import decode
from shared.contracts.segments import Change, ClockCause, EventCause, SegmentChange
from shared.contracts.topics import SEGMENT_CHANGES
from shared.demo.gateway import Gateway
from shared.demo.story import Story
from shared.runtime.kafka_input import new_reader
from shared.runtime.settings import RuntimeSettings

SEGMENT = "browsing-now"
WINDOW = timedelta(seconds=5)
BETWEEN_SECONDS = 0.1
LONGEST_SECONDS = 30.0


@dataclass(slots=True)
class Timings:
    """Seconds from event to entry, and from the instant it was due to the exit, as a subscriber sees them."""

    entries: list[float] = field(default_factory=list)
    exits: list[float] = field(default_factory=list)


class Prober:
    """Sends probes and subscribes to segment changes like any downstream team."""

    def __init__(self, settings: RuntimeSettings, gateway: Gateway, story: Story) -> None:
        self._settings = settings
        self._gateway = gateway
        self._story = story
        self._sent: dict[str, datetime] = {}
        self._inside: dict[str, datetime] = {}
        self.timings = Timings()

    async def run(self, customers: Sequence[str], stepped: Callable[[], None]) -> Timings:
        """Send one probe for each customer and return when all have come and gone, or after half a minute."""
        reader = new_reader(self._settings)
        await reader.start()
        try:
            partitions = [TopicPartition(SEGMENT_CHANGES.name, lane) for lane in range(self._settings.lanes)]
            reader.assign(partitions)
            await reader.seek_to_end(*partitions)
            listening = asyncio.create_task(self._listen(reader, len(customers), stepped))
            for number, customer in enumerate(customers):
                await self._send(number, customer)
                await asyncio.sleep(BETWEEN_SECONDS)
            await asyncio.wait({listening}, timeout=LONGEST_SECONDS)
            if not listening.done():
                listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        finally:
            await reader.stop()
        return self.timings

    async def _send(self, number: int, customer: str) -> None:
        at = datetime.now(UTC)
        event = self._story.view(number, customer, at)
        self._sent[event.message_id] = at
        await self._gateway.post("/v1/track", event.value)

    async def _listen(self, reader: AIOKafkaConsumer, expected: int, stepped: Callable[[], None]) -> None:
        while len(self.timings.exits) < expected:
            polled = await reader.getmany(timeout_ms=1000)
            arrived = datetime.now(UTC)
            for record in (record for records in polled.values() for record in records):
                self._see(decode(SegmentChange, record.value), arrived, stepped)

    def _see(self, change: SegmentChange, arrived: datetime, stepped: Callable[[], None]) -> None:
        if change.segment != SEGMENT:
            return
        match change.cause:
            case EventCause(message_id=message_id) if message_id in self._sent and change.change is Change.ENTERED:
                self._inside[change.customer_id] = self._sent[message_id]
                self.timings.entries.append((arrived - self._sent[message_id]).total_seconds())
                stepped()
            case ClockCause() if change.customer_id in self._inside and change.change is Change.EXITED:
                due = self._inside.pop(change.customer_id) + WINDOW
                self.timings.exits.append((arrived - due).total_seconds())
                stepped()
            case _:
                pass
