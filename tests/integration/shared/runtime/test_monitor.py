from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.runtime.group import Group
from shared.runtime.metrics import Metrics
from shared.runtime.monitor import Monitor
from shared.runtime.reading import Reader
from tests.counting.hand_driven import Worker, nonsense, worker
from tests.counting.topics import CLICKS
from tests.integration.shared.runtime.test_publishing import group_of

NO_KAFKA = cast("AIOKafkaConsumer", None)


@pytest.fixture
async def one(counting_database: str) -> AsyncIterator[Worker]:
    async with worker("one", counting_database) as held:
        await held.claim()
        yield held


def monitor_of(group: Group) -> Monitor:
    return Monitor(group, NO_KAFKA, NO_KAFKA, Reader(group, NO_KAFKA))


def open_letters(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.exposition().decode().splitlines() if line.startswith("crm_dead_letters_open{")]
    return {line.split('reason="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


class Looker:
    """Answers as Kafka does, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[TopicPartition] = []

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += partitions
        return dict.fromkeys(self.asked, 0)


async def test_a_spare_replica_learns_that_kafka_answers(counting_database: str) -> None:
    looker = Looker()
    async with worker("spare", counting_database) as spare:
        group = group_of(spare)
        group.health.satisfied("joined")
        group.health.satisfied("claims")
        assert not group.health.readiness().ok
        await Monitor(group, cast("AIOKafkaConsumer", looker), NO_KAFKA, Reader(group, NO_KAFKA)).measure()
        assert group.health.readiness().ok
    assert looker.asked == [TopicPartition(CLICKS.name, 0)]


async def test_dead_letters_that_were_dealt_with_are_told_as_none(one: Worker) -> None:
    group = group_of(one)
    monitor = monitor_of(group)
    await one.process(nonsense(0), nonsense(1))
    await monitor._measure_tables()
    (reason,) = open_letters(group.metrics)
    assert open_letters(group.metrics) == {reason: 2}
    async with one.pool.connection() as connection:
        await connection.execute("DELETE FROM dead_letters")
    await monitor._measure_tables()
    assert open_letters(group.metrics) == {reason: 0}


async def test_a_handler_that_keeps_its_own_dead_letters_says_how_to_count_them(one: Worker) -> None:
    group = replace(group_of(one), open_dead_letters="SELECT 'of_its_own', 3")
    await monitor_of(group)._measure_tables()
    assert open_letters(group.metrics) == {"of_its_own": 3}
