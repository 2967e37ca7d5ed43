import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.runtime.assignment import Assignment, complete_lanes
from shared.runtime.errors import TopicMissingError
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.group import Group
from shared.runtime.health import Health
from shared.runtime.lanes import Claims
from shared.runtime.metrics import Metrics
from shared.runtime.topic_admin import TopicDiffersError, TopicState

ASSIGNED = [TopicPartition("clicks", 0), TopicPartition("clicks", 1)]


class Consumer:
    """Notes what is paused and resumed."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused.difference_update(partitions)


class UnreachablePool:
    """PostgreSQL is away, and tells so only after a while; until then records may arrive."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    def connection(self) -> "UnreachablePool":
        return self

    async def __aenter__(self) -> None:
        self.asked.set()
        await self.answer.wait()
        raise ConnectionError("no database")

    async def __aexit__(self, *_error: object) -> None:
        pass


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


def assignment(consumer: Consumer, pool: UnreachablePool) -> Assignment:
    group: Any = SimpleNamespace(
        name="crm-counting",
        owner="me",
        inputs={"clicks": "raw"},
        pool=pool,
        claims=Claims("crm-counting"),
        failpoints=NullFailpoints(),
        metrics=Metrics("counting"),
        health=Health(),
    )
    return Assignment(cast("Group", group), cast("AIOKafkaConsumer", consumer))


async def test_nothing_is_fetched_while_positions_are_being_loaded(consumer: Consumer) -> None:
    pool = UnreachablePool()
    taking = asyncio.create_task(assignment(consumer, pool).on_partitions_assigned(ASSIGNED))
    await pool.asked.wait()
    assert consumer.paused == set(ASSIGNED)
    pool.answer.set()
    await taking


async def test_an_error_in_the_listener_is_kept_and_the_partitions_stay_paused(consumer: Consumer) -> None:
    pool = UnreachablePool()
    pool.answer.set()
    listener = assignment(consumer, pool)
    await listener.on_partitions_assigned(ASSIGNED)
    assert isinstance(listener.failure.exception(), ConnectionError)
    assert consumer.paused == set(ASSIGNED)


async def test_a_closed_membership_takes_no_lanes_over(consumer: Consumer) -> None:
    pool = UnreachablePool()
    listener = assignment(consumer, pool)
    listener._closed = True
    await listener.on_partitions_assigned(ASSIGNED)
    assert not pool.asked.is_set()
    assert not listener.failure.done()


class Admin:
    """Describes the topics that there are."""

    def __init__(self, partitions: dict[str, int]) -> None:
        self.partitions = partitions

    def describe(self, names: Iterable[str]) -> dict[str, TopicState]:
        return {name: TopicState(name, UUID(int=1), self.partitions[name]) for name in names if name in self.partitions}


def known(partitions: dict[str, int]) -> dict[str, UUID]:
    group: Any = SimpleNamespace(
        admin=Admin(partitions),
        inputs={"clicks": "raw"},
        outputs={"counts": "state"},
        settings=SimpleNamespace(lanes=4),
    )
    return Assignment(cast("Group", group), cast("AIOKafkaConsumer", None))._known_topics()


async def test_no_lane_is_taken_of_topics_that_have_another_number_of_them() -> None:
    assert known({"clicks": 4, "counts": 4}) == {"clicks": UUID(int=1)}
    with pytest.raises(TopicDiffersError, match=r"counts: expected 4 partitions \(CRM_LANES\), found 5"):
        known({"clicks": 4, "counts": 5})
    with pytest.raises(TopicMissingError, match="counts"):
        known({"clicks": 4})


def test_a_lane_is_held_only_with_every_inputs_partition() -> None:
    assigned = [*ASSIGNED, TopicPartition("orders", 1)]
    assert complete_lanes(assigned, ["clicks", "orders"]) == {1}
