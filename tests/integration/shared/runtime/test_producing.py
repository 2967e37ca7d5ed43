"""The producer on a real broker that refuses a batch: later ones get through, and none of the same run does."""

import secrets
from dataclasses import dataclass

import pytest
from aiokafka.errors import KafkaError

from shared.contracts.envelope import Headers
from shared.contracts.topics import LARGEST_MESSAGE_BYTES
from shared.local.stack import StackAddresses
from shared.runtime.handler import Message
from shared.runtime.kafka_input import ends, new_reader
from shared.runtime.producing import MessageTooLargeError, Producing
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import create_topics

SMALL = 10_000


@dataclass(frozen=True)
class Narrow:
    """A topic that takes little at once, so that the broker refuses what we can still send."""

    name: str

    def config(self) -> dict[str, str]:
        return {"max.message.bytes": "100000"}


def run(*sizes: int) -> list[tuple[Message, Headers]]:
    return [(Message(b"k", b"x" * size, []), []) for size in sizes]


async def test_a_refused_batch_neither_makes_a_hole_nor_stops_what_comes_later(stack: StackAddresses) -> None:
    topic = Narrow(f"test.narrow-{secrets.token_hex(4)}")
    create_topics(stack.kafka, [topic], 1)
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": stack.database_url}
    )
    producing, reader = Producing(settings), new_reader(settings)
    await producing.start()
    await reader.start()
    try:
        with pytest.raises(KafkaError):
            await producing.send(topic.name, 0, run(200_000, *[SMALL] * 60))
        assert await ends(reader, [(topic.name, 0)]) == {(topic.name, 0): 0}
        assert await producing.send(topic.name, 0, run(SMALL)) == [(0, 1)]
        with pytest.raises(KafkaError):
            await producing.send(topic.name, 0, run(200_000))
        assert await producing.send(topic.name, 0, run(SMALL, SMALL)) == [(1, 2)]
    finally:
        await producing.stop()
        await reader.stop()


async def test_a_message_that_no_topic_takes_is_named_before_it_is_sent(stack: StackAddresses) -> None:
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": stack.database_url}
    )
    producing = Producing(settings)
    await producing.start()
    try:
        with pytest.raises(MessageTooLargeError):
            await producing.send("test.nowhere", 0, run(LARGEST_MESSAGE_BYTES))
    finally:
        await producing.stop()
