"""Records written to and read from a topic, one partition, to see whether data survive."""

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

SECONDS = 30.0


def create_topic(bootstrap_servers: str, topic: str) -> None:
    """Create a topic of one partition."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])[topic].result(SECONDS)


def topics(bootstrap_servers: str) -> set[str]:
    """List the topics that the broker knows."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    return set(admin.list_topics(timeout=SECONDS).topics)


def write(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    """Write records and wait until the broker has them all."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "acks": "all", "log_level": 0})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(SECONDS) == 0


def read(bootstrap_servers: str, topic: str, count: int) -> list[bytes]:
    """Read so many records from the start."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap_servers, "group.id": "read", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = consumer.consume(count, timeout=SECONDS)
        return [value for each in found if each.error() is None and (value := each.value()) is not None]
    finally:
        consumer.close()
