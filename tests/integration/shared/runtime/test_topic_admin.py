from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Uuid
from confluent_kafka.admin import AdminClient

from shared.contracts.topics import REGISTRY
from shared.local.stack import StackAddresses
from shared.runtime.errors import TopicMissingError
from shared.runtime.topic_admin import (
    KafkaUnreachableError,
    TopicAdmin,
    TopicDiffersError,
    _uuid,
    create_topics,
    topic_ids,
)


@dataclass
class Spec:
    name: str
    settings: dict[str, str] = field(default_factory=lambda: {"cleanup.policy": "delete"})

    def config(self) -> dict[str, str]:
        return self.settings


@pytest.fixture
def admin(stack: StackAddresses) -> TopicAdmin:
    return TopicAdmin(stack.kafka)


@pytest.fixture
def name(stack: StackAddresses) -> Iterator[str]:
    chosen = f"admin-{uuid4().hex[:8]}"
    yield chosen
    client = AdminClient({"bootstrap.servers": stack.kafka, "log_level": 0})
    client.delete_topics([chosen])[chosen].exception(timeout=20)


def test_every_topic_of_the_registry_is_one_that_kafka_accepts(admin: TopicAdmin) -> None:
    prefix = uuid4().hex[:8]
    specs = [Spec(f"{prefix}-{topic.name}", topic.config()) for topic in REGISTRY]
    assert admin.create(specs, 3, 1) == sorted(spec.name for spec in specs)
    states = admin.describe(spec.name for spec in specs)
    assert {state.partitions for state in states.values()} == {3}


def test_creating_again_changes_nothing(admin: TopicAdmin, stack: StackAddresses, name: str) -> None:
    assert admin.create([Spec(name)], 4, 1) == [name]
    known = admin.topic_ids([name])
    assert create_topics(stack.kafka, [Spec(name)], 4) == []
    assert topic_ids(stack.kafka, [name]) == known
    assert admin.create([], 4, 1) == []


def test_another_number_of_partitions_is_a_clear_error(admin: TopicAdmin, name: str) -> None:
    admin.create([Spec(name)], 4, 1)
    with pytest.raises(TopicDiffersError, match=f"{name}: expected 6 partitions, found 4"):
        admin.create([Spec(name)], 6, 1)
    assert admin.describe([name])[name].partitions == 4


def test_another_cleanup_policy_is_a_clear_error(admin: TopicAdmin, name: str) -> None:
    admin.create([Spec(name)], 4, 1)
    with pytest.raises(TopicDiffersError, match=r"expected cleanup\.policy compact, found delete"):
        admin.create([Spec(name, {"cleanup.policy": "compact"})], 4, 1)


def test_a_setting_that_operators_may_change_is_no_difference(admin: TopicAdmin, name: str) -> None:
    admin.create([Spec(name)], 4, 1)
    assert admin.create([Spec(name, {"cleanup.policy": "delete", "retention.ms": "1000"})], 4, 1) == []


def test_a_topic_that_is_created_again_has_another_id(admin: TopicAdmin, stack: StackAddresses, name: str) -> None:
    admin.create([Spec(name)], 1, 1)
    first = admin.topic_ids([name])[name]
    client = AdminClient({"bootstrap.servers": stack.kafka})
    client.delete_topics([name])[name].result(timeout=20)
    admin.create([Spec(name)], 1, 1)
    assert admin.topic_ids([name])[name] != first


def test_an_id_is_the_same_sixteen_bytes_as_kafka_s() -> None:
    assert _uuid(Uuid(0x1234567890ABCDEF, -5)) == UUID("12345678-90ab-cdef-ffff-fffffffffffb")


def test_missing_topics_are_named(admin: TopicAdmin, name: str) -> None:
    assert admin.describe([name]) == {}
    assert admin.describe([]) == {}
    with pytest.raises(TopicMissingError, match=name):
        admin.topic_ids([name])
    with pytest.raises(TopicMissingError, match=name):
        admin.compare([Spec(name)], 4)


def test_a_broker_out_of_reach_is_a_clear_error_within_the_deadline() -> None:
    admin = TopicAdmin("127.0.0.1:1", deadline_seconds=1)
    with pytest.raises(KafkaUnreachableError, match="CRM_KAFKA_BOOTSTRAP_SERVERS"):
        admin.describe(["x"])


def test_a_setting_that_kafka_refuses_is_a_clear_error(admin: TopicAdmin, name: str) -> None:
    with pytest.raises(KafkaUnreachableError, match=r"cleanup\.policy"):
        admin.create([Spec(name, {"cleanup.policy": "burn"})], 1, 1)
