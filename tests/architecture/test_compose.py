"""docker-compose.yml is what its comments promise: the same two servers, for this machine only, data kept."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.local.kafka_settings import server_properties
from shared.local.postgres_settings import rapport_conf
from tests.architecture.repository import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVERS: dict[str, dict[str, Any]] = COMPOSE["services"]

# Where each server listens and keeps its data is the container's own affair.
OF_THE_PLACE = {
    "process.roles",
    "node.id",
    "controller.quorum.voters",
    "controller.listener.names",
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "inter.broker.listener.name",
    "security.inter.broker.protocol",
    "log.dirs",
    "listen_addresses",
    "port",
    "unix_socket_directories",
}


def resolved(text: str) -> str:
    """Put in the default of each variable, as compose does when none is set."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)


def settings(text: str, separator: str) -> dict[str, str]:
    """Read the lines of a configuration file."""
    pairs = (line.split(separator, 1) for line in text.splitlines() if separator in line)
    return {key: value.strip("'").strip() for key, value in pairs if key not in OF_THE_PLACE}


def test_both_servers_are_pinned_and_watched_and_keep_their_data() -> None:
    assert {name: server["image"] for name, server in SERVERS.items()} == {
        "kafka": "apache/kafka:4.3.1",
        "postgres": "postgres:18",
    }
    for name, server in SERVERS.items():
        assert server["healthcheck"]["test"], f"{name} has no health check"
        (volume,) = server["volumes"]
        assert volume.split(":")[0] in COMPOSE["volumes"], f"{name}: {volume} is no named volume"


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_is_reached_from_this_machine_only(name: str) -> None:
    for port in SERVERS[name]["ports"]:
        assert resolved(port).startswith("127.0.0.1:")


def test_the_two_lines_to_copy_lead_to_the_two_servers() -> None:
    kafka, postgres = SERVERS["kafka"], SERVERS["postgres"]
    address = resolved(kafka["ports"][0]).rsplit(":", 1)[0]
    assert f"export CRM_KAFKA_BOOTSTRAP_SERVERS={address}\n" in TEXT
    assert f"HOST://{address}," in resolved(kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"])
    who = postgres["environment"]
    host = resolved(postgres["ports"][0]).rsplit(":", 1)[0]
    url = f"postgresql://{who['POSTGRES_USER']}:{who['POSTGRES_PASSWORD']}@{host}/{who['POSTGRES_DB']}"
    assert f"export CRM_DATABASE_URL={url}\n" in TEXT


def test_the_broker_in_a_container_is_set_as_the_embedded_one() -> None:
    embedded = settings(server_properties(1, 2, Path("data")), "=")
    assert embedded
    environment = SERVERS["kafka"]["environment"]
    assert {key: environment.get("KAFKA_" + key.upper().replace(".", "_")) for key in embedded} == embedded


def test_the_database_in_a_container_is_set_as_the_embedded_one() -> None:
    embedded = settings(rapport_conf(1, lz4=True), " = ")
    assert embedded
    said = dict(option.removeprefix("--").split("=", 1) for option in SERVERS["postgres"]["command"][1:])
    assert {key: value.strip() for key, value in said.items()} == embedded
