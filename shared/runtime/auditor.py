"""The auditor of state topics: what somebody else wrote there last must not be older than the table."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.envelope import version_of
from shared.contracts.topics import Kind
from shared.runtime import kafka_input, streams
from shared.runtime.errors import FencedError
from shared.runtime.group import Group
from shared.runtime.handler import Publication
from shared.runtime.intake import Place
from shared.runtime.logs import logger
from shared.runtime.records import Record
from shared.runtime.retry import Backoff, Verdict, verdict

log = logger(__name__)

LOOK_SECONDS = 1.0
MOST_AT_ONCE = 5000


class Auditor:
    """Looks at stretches of our state topics that this owner did not write, and re-emits keys that are older there.

    A resumed zombie can otherwise leave an old record as a key's last one for ever. The publisher knows the offsets its
    own records took, so only what lies between them is read: after a claim, the tail since the last owner's
    acknowledgement; later, whatever appears in between or behind.
    """

    def __init__(self, group: Group, reader: AIOKafkaConsumer) -> None:
        self._group = group
        self._reader = reader
        self._looked_at_tails = 0.0
        self._epochs: dict[int, int] = {}

    async def run(self) -> None:
        """Audit until cancelled; errors that may pass are retried.

        Raises:
            FencedError, FatalError: somebody must react.
        """
        backoff = Backoff()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.audit()
            except FencedError as error:
                # A lane that we let go ourselves in the meantime is nobody's mistake.
                if self._group.claims.lanes.intersection(error.lanes):
                    raise
            except Exception as error:
                if verdict(error) is not Verdict.RETRY:
                    raise
                log.warning("An audit failed and is tried again", action="audit.retry", exc_info=error)
                await asyncio.sleep(backoff.pause())
            else:
                backoff.succeeded()

    async def audit(self) -> int:
        """Look at every foreign stretch once; returns how many keys were re-emitted."""
        loop_time = asyncio.get_running_loop().time()
        lanes = self._group.claims.lanes
        epochs = self._group.claims.epochs(lanes)
        if (
            epochs != self._epochs
            or loop_time - self._looked_at_tails > self._group.settings.integrity_interval_seconds
        ):
            await self._note_tails(lanes)
            self._epochs, self._looked_at_tails = epochs, loop_time
        foreign = self._group.publisher.foreign
        emitted = 0
        while foreign:
            stretch = foreign[0]
            place, first, end = stretch
            if place[1] in lanes and self._group.outputs.get(place[0]) is Kind.STATE:
                emitted += await self._audit_stretch(place, first, end)
            # Kept until it is done; letting go of the lanes may have emptied the list meanwhile.
            with suppress(ValueError):
                foreign.remove(stretch)
        return emitted

    async def _note_tails(self, lanes: frozenset[int]) -> None:
        publisher = self._group.publisher
        places = [(topic, lane) for topic, kind in self._group.outputs.items() if kind is Kind.STATE for lane in lanes]
        if not places:
            return
        # In this order, and between two cycles: what is acknowledged later lies behind these ends.
        async with publisher.cycle:
            ends = await kafka_input.ends(self._reader, places)
            for place, end in ends.items():
                last = publisher.acknowledged.get(place, -1)
                if end > last + 1:
                    publisher.foreign.append((place, last + 1, end))
                    publisher.acknowledged[place] = end - 1

    async def _audit_stretch(self, place: Place, first: int, end: int) -> int:
        topic, lane = place
        tp = TopicPartition(topic, lane)
        begin = (await self._reader.beginning_offsets([tp]))[tp]
        at = max(first, begin)
        if at >= end:
            return 0
        self._reader.assign([tp])
        self._reader.seek(tp, at)
        emitted = 0
        while at < end:
            polled = await self._reader.getmany(tp, timeout_ms=1000, max_records=MOST_AT_ONCE)
            records = polled.get(tp, [])
            emitted += await self._re_emit(place, [record for record in records if record.offset < end])
            at = await self._reader.position(tp)
        # Else it would go on fetching, and who asks this connection for the logs' ends would wait behind each fetch.
        self._reader.unsubscribe()
        return emitted

    async def _re_emit(self, place: Place, records: Sequence[Record]) -> int:
        topic, lane = place
        last = {record.key: version_of(record.headers) for record in records if record.key is not None}
        if not last:
            return 0
        group = self._group
        async with group.transactions.begin([lane]) as transaction:
            # Else a batch could commit between our reading and our number, and what we read would go out after it.
            await streams.hold(transaction.connection, topic, lane)
            current = await group.outlet.current(transaction.connection, topic, list(last))
            older = []
            for key, state in current.items():
                found = last[key]
                if found is None or (found.incarnation, found.number) < (group.publisher.incarnation, state.version):
                    older.append(state.key)
            if older:
                messages = await group.outlet.render(transaction.connection, topic, older)
                transaction.publish(
                    Publication(topic, lane, key, message) for key, message in zip(older, messages, strict=True)
                )
        if older:
            group.metrics.counter("crm_audit_republished_total", topic=topic).inc(len(older))
            log.warning(
                "Re-emitted keys that were older on the topic", action="audit.emit", topic=topic, keys=len(older)
            )
        return len(older)
