"""The consumer's connection to Kafka: how it is set, and places instead of topic partitions."""

from collections.abc import Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from shared.runtime.header_names import take_any_header_name
from shared.runtime.intake import Place
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings

FETCH_BYTES = 4 * 1024 * 1024
PEEK_MILLISECONDS = 500
PEEK_BYTES = 4096
"""Enough to look at one record: Kafka sends a first batch that is larger nevertheless."""


def new_consumer(settings: RuntimeSettings, group: str) -> AIOKafkaConsumer:
    """Make a consumer that commits nothing by itself, never resets a position, and shares lanes by number.

    The range assignor gives co-numbered partitions of all topics to one member, which is what a lane needs.
    """
    take_any_header_name()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group,
        group_instance_id=None if settings.instance_id is None else f"{group}-{settings.instance_id}",
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=int(settings.session_timeout * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_seconds * 1000),
        max_poll_interval_ms=int(settings.max_poll_seconds * 1000),
        metadata_max_age_ms=int(settings.metadata_max_age_seconds * 1000),
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=4 * FETCH_BYTES,
    )


def new_reader(settings: RuntimeSettings, fetch_bytes: int = FETCH_BYTES) -> AIOKafkaConsumer:
    """Make a consumer outside any group, for looking at what is on a topic."""
    take_any_header_name()
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=fetch_bytes,
    )


async def poll(consumer: AIOKafkaConsumer, timeout_seconds: float, most: int) -> dict[Place, Sequence[Record]]:
    """Poll up to `most` records. Never cancel this alone: a cancelled poll switches the poll-interval guard off."""
    polled = await consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=most)
    return {(tp.topic, tp.partition): records for tp, records in polled.items()}


async def begins(consumer: AIOKafkaConsumer, places: Iterable[Place]) -> dict[Place, int]:
    """Return the first offset that is still there of each place."""
    return _by_place(await consumer.beginning_offsets(partitions(places)))


async def ends(consumer: AIOKafkaConsumer, places: Iterable[Place]) -> dict[Place, int]:
    """Return the offset after the last record of each place."""
    return _by_place(await consumer.end_offsets(partitions(places)))


async def written_at(peeker: AIOKafkaConsumer, offsets: Mapping[Place, int]) -> dict[Place, float]:
    """Return when the record at each offset was written, in seconds since 1970; it waits until there is one.

    Where compaction or retention took the record, the next one counts. Nobody else may use this consumer meanwhile.
    """
    found: dict[Place, float] = {}
    missing = partitions(offsets)
    peeker.assign(missing)
    try:
        for tp in missing:
            peeker.seek(tp, offsets[tp.topic, tp.partition])
        while missing:
            for tp, records in (await peeker.getmany(*missing, timeout_ms=PEEK_MILLISECONDS, max_records=1)).items():
                found[tp.topic, tp.partition] = records[0].timestamp / 1000
            missing = [tp for tp in missing if (tp.topic, tp.partition) not in found]
    finally:
        peeker.unsubscribe()  # or it would go on fetching
    return found


def partitions(places: Iterable[Place]) -> list[TopicPartition]:
    """Name places as Kafka does."""
    return [TopicPartition(topic, lane) for topic, lane in sorted(places)]


def _by_place(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(tp.topic, tp.partition): offset for tp, offset in offsets.items()}
