"""The broker as the matrix uses it: topics made anew for each row, read from end to end, cut by hand."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it exports this without saying so

from shared.contracts.topics import Topic
from shared.runtime.topic_admin import TopicAdmin
from tests.faults.awaiting import until

LANES = 4
DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class OnTopic:
    """One record as it lies on a topic."""

    lane: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]

    def number(self, header: str) -> int:
        """Return a header that holds a number."""
        return int(self.headers[header])


def _client(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def delete_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics, those that are there, and return when they are gone."""
    admin, wanted = TopicAdmin(bootstrap), list(names)
    present = sorted(admin.describe(wanted))
    if present:
        client = _client(bootstrap)
        for future in client.delete_topics(present, operation_timeout=DEADLINE).values():
            future.result(timeout=DEADLINE)
        until(lambda: not admin.describe(present), "topics are deleted", DEADLINE)


def renew_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Delete topics and create them again, empty."""
    wanted = list(topics)
    delete_topics(bootstrap, [topic.name for topic in wanted])
    TopicAdmin(bootstrap).create(wanted, LANES, 1)


def replace_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Delete topics and create them again at once, so that hardly anybody sees them gone."""
    client, wanted = _client(bootstrap), list(topics)
    for future in client.delete_topics([topic.name for topic in wanted], operation_timeout=DEADLINE).values():
        future.result(timeout=DEADLINE)
    fresh = [
        NewTopic(topic.name, num_partitions=LANES, replication_factor=1, config=topic.config()) for topic in wanted
    ]
    for future in client.create_topics(fresh, operation_timeout=DEADLINE).values():
        future.result(timeout=DEADLINE)


def delete_records(bootstrap: str, upto: Mapping[tuple[str, int], int]) -> None:
    """Delete the records before these offsets, as retention does."""
    partitions = [TopicPartition(topic, lane, offset) for (topic, lane), offset in upto.items()]
    client = _client(bootstrap)
    for future in client.delete_records(partitions, operation_timeout=DEADLINE).values():
        future.result(timeout=DEADLINE)


def ends(bootstrap: str, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """Return the offset after the last record of each partition."""
    consumer = _reader(bootstrap)
    try:
        return {
            (topic, lane): consumer.get_watermark_offsets(TopicPartition(topic, lane), timeout=DEADLINE)[1]
            for topic in topics
            for lane in range(LANES)
        }
    finally:
        consumer.close()


def read_all(bootstrap: str, topic: str) -> list[OnTopic]:
    """Read a topic from its first record to its end as it is now, by lane and offset."""
    left = {lane: end for (_, lane), end in ends(bootstrap, [topic]).items() if end}
    found: list[OnTopic] = []
    consumer = _reader(bootstrap)
    try:
        consumer.assign([TopicPartition(topic, lane, OFFSET_BEGINNING) for lane in left])
        stuck_at = time.monotonic() + DEADLINE
        while left:
            batch = consumer.consume(2000, timeout=0.1)
            if batch:
                stuck_at = time.monotonic() + DEADLINE
            elif time.monotonic() > stuck_at:
                raise AssertionError(f"{topic} could not be read to its end: {left}")
            for message in batch:
                error = message.error()
                lane, offset = message.partition(), message.offset()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                if error is None and lane is not None and offset is not None:
                    found.append(_on_topic(lane, offset, message))
                if lane in left and offset is not None and offset >= left[lane] - 1:
                    del left[lane]
    finally:
        consumer.close()
    return sorted(found, key=lambda one: (one.lane, one.offset))


def _on_topic(lane: int, offset: int, message: Any) -> OnTopic:
    # The library types keys, values and headers as text or bytes; without a deserializer they are bytes.
    headers = {name: value or b"" for name, value in message.headers() or []}
    return OnTopic(lane, offset, message.key() or b"", message.value(), headers)


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "faults-nobody",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
