"""The gateway as a process, once for each module, with a database and sources of its own."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from services.ingest.domain import keys
from services.ingest.domain.sources import Source
from services.ingest.ports import Snapshot
from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import create_topics
from tests.databases import fresh_database
from tests.integration.services.ingest.wire.running import GatewayProcess, free_port
from tests.integration.services.ingest.wire.sdks import NODE, NODES
from tests.integration.services.ingest.wire.topic import Topic


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what could not be tested on this machine; in CI it fails instead."""
    if not NODE.exists():
        terminalreporter.write_line(f"not tested: {', '.join(sdk.name for sdk in NODES)}, for there is no Node.js 18")


@dataclass(frozen=True, slots=True)
class Wire:
    """A gateway that runs, the key of an open source, and where its events come to."""

    gateway: GatewayProcess
    source: str
    key: str
    topic: Topic


@pytest.fixture(scope="module")
def database_of_wire(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with ingest's schema."""
    with fresh_database(stack, history_of("ingest")) as address:
        yield address


@pytest.fixture(scope="module")
def wire(
    request: pytest.FixtureRequest,
    stack: StackAddresses,
    database_of_wire: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Wire]:
    """Start a gateway that knows one source; what a module sets as GATEWAY are further variables for it."""
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    source = Source(f"wire-{secrets.token_hex(4)}", "server")
    key = register(database_of_wire, source)
    variables = {
        "CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "CRM_DATABASE_URL": database_of_wire,
        **getattr(request.module, "GATEWAY", {}),
    }
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": database_of_wire}
    )
    topic = Topic(settings, source.name, Snapshot({source.name: source}, {}))
    topic.mark()
    log = tmp_path_factory.mktemp("gateway") / "gateway.log"
    gateway = GatewayProcess(variables, log, free_port())
    try:
        gateway.start()
        yield Wire(gateway, source.name, key, topic)
    finally:
        gateway.end()


def register(database_url: str, source: Source) -> str:
    """Write a source and a key for it as `rapport ingest sources add` does, and return the key."""
    key = keys.make(os.urandom(keys.RANDOM_BYTES))
    with psycopg.connect(database_url, options="-c search_path=ingest") as connection:
        connection.execute(
            "INSERT INTO sources (name, kind, strictness, rate, burst) VALUES (%s, %s, %s, %s, %s)",
            (source.name, source.kind, source.strictness.value, source.rate, source.burst),
        )
        connection.execute(
            "INSERT INTO source_keys (id, source, hash) VALUES (%s, %s, %s)", (key.id, source.name, key.hash)
        )
    return key.text
