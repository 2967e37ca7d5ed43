"""Which server is used."""

from pathlib import Path

import pytest

from shared.local.containers import ContainerServer
from shared.local.errors import NotEmbeddedError, UnknownStackError
from shared.local.external import ExternalKafka, ExternalPostgres
from shared.local.kafka import EmbeddedKafka
from shared.local.postgres import EmbeddedPostgres
from shared.local.stack import Stack

KAFKA = {"CRM_KAFKA_BOOTSTRAP_SERVERS": "h:9092"}
DATABASE = {"CRM_DATABASE_URL": "postgresql://h/d"}
CONTAINERS = {"CRM_STACK": "containers"}


@pytest.mark.parametrize(
    ("environment", "kafka", "postgres"),
    [
        ({}, EmbeddedKafka, EmbeddedPostgres),
        ({"CRM_STACK": "embedded"}, EmbeddedKafka, EmbeddedPostgres),
        (KAFKA, ExternalKafka, EmbeddedPostgres),
        (DATABASE, EmbeddedKafka, ExternalPostgres),
        (CONTAINERS, ContainerServer, ContainerServer),
        (CONTAINERS | KAFKA, ExternalKafka, ContainerServer),
        (CONTAINERS | DATABASE | KAFKA, ExternalKafka, ExternalPostgres),
        ({"CRM_DATABASE_URL": ""}, EmbeddedKafka, EmbeddedPostgres),
    ],
)
def test_a_variable_goes_before_containers_and_those_before_embedded(
    environment: dict[str, str], kafka: type, postgres: type, tmp_path: Path
) -> None:
    stack = Stack(tmp_path, environment=environment)
    assert type(stack._kafka()) is kafka
    assert type(stack._postgres()) is postgres


def test_a_kind_of_stack_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownStackError, match="'k8s'"):
        Stack(tmp_path, environment={"CRM_STACK": "k8s"}).status()


def test_a_server_of_somebody_else_cannot_be_killed(tmp_path: Path) -> None:
    stack = Stack(tmp_path, environment=KAFKA | DATABASE)
    with pytest.raises(NotEmbeddedError, match="Kafka"):
        _ = stack.kafka
    with pytest.raises(NotEmbeddedError, match="PostgreSQL"):
        _ = stack.postgres


def test_looking_at_a_stack_that_was_never_started_creates_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    stack = Stack(root, environment={})
    assert [(each.name, each.healthy, each.detail) for each in stack.status()] == [
        ("kafka", False, "never started"),
        ("postgres", False, "never started"),
    ]
    assert stack.addresses() is None
    stack.down()
    assert not root.exists()
