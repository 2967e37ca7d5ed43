"""Who has claimed lanes and committed nothing yet is seen from outside, by when it claimed them."""

from dataclasses import replace
from uuid import uuid4

from aiokafka import TopicPartition

from shared.contracts.topics import Kind
from shared.local.stack import StackAddresses
from shared.runtime.assignment import Assignment
from shared.runtime.kafka_input import new_reader
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import TopicAdmin
from tests.counting.hand_driven import NOW, worker
from tests.integration.shared.runtime.test_publishing import group_of


class PlainTopic:
    name = f"claimed-{uuid4().hex[:8]}"

    def config(self) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": "-1"}


async def test_the_last_commit_is_told_before_the_first_batch(stack: StackAddresses, counting_database: str) -> None:
    admin, partition = TopicAdmin(stack.kafka), TopicPartition(PlainTopic.name, 0)
    admin.create([PlainTopic()], 4, 1)
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": stack.database_url}
    )
    consumer = new_reader(settings)
    await consumer.start()
    consumer.assign([partition])
    async with worker("one", counting_database) as one:
        group = replace(group_of(one), inputs={PlainTopic.name: Kind.RAW}, admin=admin)
        listener = Assignment(group, consumer)
        await listener.on_partitions_assigned([partition])
        assert not listener.failure.done()
        assert one.claims.lanes == {0}
        found = one.metrics.registry.get_sample_value(
            "crm_consumer_last_commit_timestamp_seconds", {"service": "counting"}
        )
        assert found == NOW.timestamp()
    await consumer.stop()
