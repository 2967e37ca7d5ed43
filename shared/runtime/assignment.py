"""From Kafka's assignment to held lanes: pause, claim, load positions, check them, seek, and only then resume."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from shared.runtime import kafka_input, positions
from shared.runtime.claiming import take_lanes
from shared.runtime.errors import TopicMissingError
from shared.runtime.group import Group
from shared.runtime.intake import Place, Position
from shared.runtime.integrity import check_ids, check_ranges
from shared.runtime.logs import logger
from shared.runtime.positions import Stored
from shared.runtime.topic_admin import TopicDiffersError

log = logger(__name__)


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """Reacts to rebalances of one consumer.

    Kafka's client swallows what a listener raises and would go on from a default offset, so an error is kept in
    `failure`, and the partitions stay paused.
    """

    def __init__(self, group: Group, consumer: AIOKafkaConsumer) -> None:
        self._group = group
        self._consumer = consumer
        self._closed = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        """Let go of every lane, after the batch that is under way."""
        if not self._closed:
            await self.let_go()

    async def close(self) -> None:
        """Hold nothing from now on: a consumer that is slow to stop must not touch what the next membership holds."""
        self._closed = True
        await self.let_go()

    async def let_go(self) -> None:
        """Hold nothing; whatever is under way ends first."""
        group = self._group
        async with group.processor.lock, group.publisher.cycle:
            group.claims.replace({})
            group.processor.positions = {}
            group.processor.forget()
            group.publisher.let_go()
        group.health.unsatisfied("claims", "lanes were revoked")

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Hold the lanes whose every input was assigned."""
        tps = list(assigned)
        if self._closed:
            return
        # Records arrive while this method still waits for PostgreSQL.
        self._consumer.pause(*tps)
        try:
            await self._take_over(tps)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the client would swallow it
            if not self.failure.done():
                self.failure.set_exception(error)

    async def _take_over(self, tps: list[TopicPartition]) -> None:
        group = self._group
        self._group.metrics.counter("crm_consumer_rebalances_total").inc()
        group.metrics.gauge("crm_consumer_assigned_partitions").set(len(tps))
        group.health.satisfied("joined")
        lanes = complete_lanes(tps, group.inputs)
        group.failpoints.hit("before_claim")
        epochs = await take_lanes(group.pool, group.name, lanes, group.owner) if lanes else {}
        places = [(topic, lane) for lane in sorted(lanes) for topic in group.inputs]
        stored = await self._positions(places)
        found = {place: stored[place].position for place in places}
        async with group.processor.lock:
            if self._closed:
                return
            group.claims.replace(epochs)
            group.processor.forget()
            group.processor.positions = found
            group.processor.topic_ids = {topic: one.topic_id for (topic, _), one in stored.items()}
        await group.publisher.take_over()
        for (topic, lane), position in found.items():
            self._consumer.seek(TopicPartition(topic, lane), position.next_offset)
        for tp in tps:
            if (tp.topic, tp.partition) not in found:
                # Stays paused; but a partition without a place to read from keeps its whole broker from being read.
                self._consumer.seek(tp, 0)
        self._consumer.resume(*kafka_input.partitions(places))
        # Said before the first batch too: nobody is warned about a metric that is absent.
        group.metrics.gauge("crm_consumer_last_commit_timestamp_seconds").set(group.clock.now().timestamp())
        group.health.satisfied("claims")
        log.info("Took lanes over", action="lanes.claimed", lanes=sorted(lanes))

    async def _positions(self, places: list[Place]) -> dict[Place, Stored]:
        group, consumer = self._group, self._consumer
        if not places:
            return {}
        ids = await asyncio.to_thread(self._known_topics)
        begins = await kafka_input.begins(consumer, places)
        ends = await kafka_input.ends(consumer, places)
        async with group.pool.connection() as connection, connection.transaction():
            stored = await positions.load(connection, group.name, {lane for _, lane in places}, group.inputs)
            new = {place: Stored(Position(begins[place]), ids[place[0]]) for place in places if place not in stored}
            if new:
                await positions.start(connection, group.name, new)
                # Somebody who held the lane before us may have written the first ones meanwhile.
                stored = await positions.load(connection, group.name, {lane for _, lane in places}, group.inputs)
        # Once more, after the ranges were asked for: a topic made anew in between is what its range would hide.
        ids = await asyncio.to_thread(group.admin.topic_ids, list(group.inputs))
        check_ids({topic: one.topic_id for (topic, _), one in stored.items()}, ids)
        check_ranges({place: stored[place].position for place in places}, begins, ends)
        return stored

    def _known_topics(self) -> dict[str, UUID]:
        """Ask for the ids of the inputs; a topic of other lanes than ours would take an event to nobody."""
        group = self._group
        states = group.admin.describe([*group.inputs, *group.outputs])
        missing = sorted({*group.inputs, *group.outputs} - set(states))
        if missing:
            raise TopicMissingError(missing)
        lanes = group.settings.lanes
        differences = [
            f"{name}: expected {lanes} partitions (CRM_LANES), found {state.partitions}"
            for name, state in sorted(states.items())
            if state.partitions != lanes
        ]
        if differences:
            raise TopicDiffersError(differences)
        return {name: states[name].id for name in group.inputs}


def complete_lanes(tps: Iterable[TopicPartition], inputs: Iterable[str]) -> set[int]:
    """Return the lanes of which every input's partition was assigned."""
    assigned = {(tp.topic, tp.partition) for tp in tps}
    wanted = set(inputs)
    return {lane for _, lane in assigned if all((topic, lane) in assigned for topic in wanted)}
