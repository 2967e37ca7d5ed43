from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.local.stack import StackAddresses
from shared.runtime.kafka_input import PEEK_BYTES, new_reader, written_at
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import TopicAdmin

HOURS_AGO = 1_790_000_000.0
RECENTLY = HOURS_AGO + 7200


class PlainTopic:
    name = f"written-{uuid4().hex[:8]}"

    def config(self) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": "-1"}


@pytest.fixture
async def peeker(stack: StackAddresses) -> AsyncIterator[AIOKafkaConsumer]:
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": stack.database_url}
    )
    reader = new_reader(settings, PEEK_BYTES)
    await reader.start()
    yield reader
    await reader.stop()


async def test_the_record_at_a_position_tells_how_long_it_waits_however_often_it_is_asked(
    stack: StackAddresses, peeker: AIOKafkaConsumer
) -> None:
    TopicAdmin(stack.kafka).create([PlainTopic()], 2, 1)
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka)
    await producer.start()
    for at in (HOURS_AGO, RECENTLY):
        await producer.send_and_wait(PlainTopic.name, b"x" * PEEK_BYTES, partition=0, timestamp_ms=int(at * 1000))
    await producer.send_and_wait(PlainTopic.name, b"x", partition=1, timestamp_ms=int(RECENTLY * 1000))
    await producer.stop()
    first, second = (PlainTopic.name, 0), (PlainTopic.name, 1)
    assert await written_at(peeker, {first: 0, second: 0}) == {first: HOURS_AGO, second: RECENTLY}
    assert await written_at(peeker, {first: 1}) == {first: RECENTLY}
    assert await written_at(peeker, {first: 0}) == {first: HOURS_AGO}
    assert peeker.assignment() == set()
