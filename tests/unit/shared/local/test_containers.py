"""Servers in containers, on an engine of our own: no real one can be taken for granted."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.local import containers
from shared.local.containers import ContainerServer, ContainerSpec, container_servers
from shared.local.errors import ServerStartError
from shared.local.external import place


@dataclass
class InMemoryEngine:
    """An engine whose containers run and never answer."""

    started: dict[str, ContainerSpec] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    crash: bool = False

    def run(self, spec: ContainerSpec) -> None:
        self.started[spec.name] = spec

    def stop(self, name: str) -> None:
        self.stopped.append(name)

    def remove(self, name: str) -> None:
        self.removed.append(name)

    def running(self, name: str) -> bool:
        return name in self.started and name not in self.stopped and not self.crash

    def logs(self, name: str) -> str:
        return f"the last words of {name}"


def servers(root: Path, engine: InMemoryEngine) -> tuple[ContainerServer, ContainerServer]:
    return container_servers(root, lambda: engine)


def test_the_images_are_those_of_the_embedded_versions(tmp_path: Path) -> None:
    kafka, postgres = servers(tmp_path, InMemoryEngine())
    assert (kafka.spec().image, postgres.spec().image) == ("apache/kafka:4.3.1", "postgres:18")


def test_ports_and_password_are_those_of_the_first_start(tmp_path: Path) -> None:
    first, again = servers(tmp_path, InMemoryEngine()), servers(tmp_path, InMemoryEngine())
    assert [each.spec() for each in first] == [each.spec() for each in again]
    assert first[1].address == again[1].address


def test_two_checkouts_have_containers_of_their_own(tmp_path: Path) -> None:
    one, other = servers(tmp_path / "a", InMemoryEngine()), servers(tmp_path / "b", InMemoryEngine())
    assert {each.container for each in one}.isdisjoint({each.container for each in other})


def test_the_broker_advertises_the_port_that_the_host_binds(tmp_path: Path) -> None:
    kafka, _ = servers(tmp_path, InMemoryEngine())
    spec = kafka.spec()
    assert spec.environment["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{kafka.address}"
    assert spec.inner_port == spec.outer_port


def test_the_databases_password_is_random_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    _, postgres = servers(tmp_path, InMemoryEngine())
    spec = postgres.spec()
    secret = tmp_path / "secrets" / "container-password"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert spec.environment["POSTGRES_PASSWORD"] == secret.read_text()
    assert place(str(postgres.address)) == f"127.0.0.1:{spec.outer_port}/rapport"


def test_a_container_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    _, postgres = servers(tmp_path, InMemoryEngine(crash=True))
    with pytest.raises(ServerStartError, match=f"the last words of {postgres.container}"):
        postgres.start()


def test_a_container_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_READY_SECONDS", 0.3)
    _, postgres = servers(tmp_path, InMemoryEngine())
    with pytest.raises(ServerStartError, match="its container does not answer"):
        postgres.start()


def test_stopping_keeps_the_container(tmp_path: Path) -> None:
    engine = InMemoryEngine()
    kafka, _ = servers(tmp_path, engine)
    engine.run(kafka.spec())
    kafka.stop()
    assert (engine.stopped, engine.removed) == ([kafka.container], [])
    assert kafka.status().detail == "not running"


def test_erasing_removes_the_container(tmp_path: Path) -> None:
    engine = InMemoryEngine()
    kafka, _ = servers(tmp_path, engine)
    kafka.erase()
    assert engine.removed == [kafka.container]
