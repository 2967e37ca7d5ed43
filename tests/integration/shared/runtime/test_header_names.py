"""A record whose header's name is no text goes through a real Kafka, and does not stop who reads it."""

from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.local.stack import StackAddresses
from shared.runtime.kafka_input import new_reader
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import TopicAdmin


class AnyTopic:
    name = f"names-{uuid4().hex[:8]}"

    def config(self) -> dict[str, str]:
        return {"message.timestamp.type": "LogAppendTime"}


class NoText(str):
    """A name that is sent as bytes that are no UTF-8, as producers in C and Go can."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return super().encode(encoding, errors) + b"\xff"


@pytest.mark.parametrize("compression", [None, "zstd"])
async def test_whoever_reads_gets_past_a_header_whose_name_is_no_text(
    stack: StackAddresses, monkeypatch: pytest.MonkeyPatch, compression: str | None
) -> None:
    monkeypatch.setattr(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    TopicAdmin(stack.kafka).create([AnyTopic()], 2, 1)
    lane = 0 if compression is None else 1
    producer = AIOKafkaProducer(bootstrap_servers=stack.kafka, compression_type=compression)
    await producer.start()
    batch = producer.create_batch()
    for name in ("before", NoText("odd"), "after"):
        batch.append(key=None, value=b"v" * 100, timestamp=None, headers=[(name, b"x")])
    await (await producer.send_batch(batch, AnyTopic.name, partition=lane))
    await producer.send_and_wait(AnyTopic.name, b"next", partition=lane)
    await producer.stop()
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": stack.database_url}
    )
    reader = new_reader(settings)
    await reader.start()
    try:
        reader.assign([TopicPartition(AnyTopic.name, lane)])
        records = [await reader.getone() for _ in range(4)]
    finally:
        await reader.stop()
    assert [record.offset for record in records] == [0, 1, 2, 3]
    assert [record.headers for record in records] == [
        (("before", b"x"),),
        ((r"odd\xff", b"x"),),
        (("after", b"x"),),
        (),
    ]
