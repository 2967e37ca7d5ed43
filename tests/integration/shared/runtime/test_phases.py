"""The time that a batch waits for Kafka, at either end, is seen from outside."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer

from shared.runtime import kafka_input
from shared.runtime.intake import Place
from shared.runtime.metrics import Metrics
from shared.runtime.reading import Reader
from shared.runtime.records import Record
from tests.counting.hand_driven import click, worker
from tests.counting.topics import CLICKS
from tests.integration.shared.runtime.test_publishing import group_of


def timed(metrics: Metrics, phase: str) -> float | None:
    labels = {"service": "counting", "phase": phase}
    return metrics.registry.get_sample_value("crm_batch_duration_seconds_count", labels)


async def test_publishing_is_timed_when_there_was_something_to_publish(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        assert await one.publisher.publish_once() is False
        assert timed(one.metrics, "publish") is None
        await one.process(click(0, "a", "eva"))
        await one.publisher.publish_once()
        assert timed(one.metrics, "publish") == 1


async def test_a_poll_is_timed_when_it_brought_records(counting_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[Mapping[Place, Sequence[Record]]] = [{}, {(CLICKS.name, 0): [click(0, "a", "eva")] * 500}]

    async def poll(*_arguments: object) -> Mapping[Place, Sequence[Record]]:
        return polls.pop(0)

    monkeypatch.setattr(kafka_input, "poll", poll)
    async with worker("one", counting_database) as one:
        one.failing.errors["after_poll"] = ConnectionError("enough seen")
        with pytest.raises(ConnectionError, match="enough seen"):
            await Reader(group_of(one), cast("AIOKafkaConsumer", None)).run()
        assert polls == []
        assert timed(one.metrics, "poll") == 1
