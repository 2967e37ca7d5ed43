"""The two servers as containers, for who has an engine: named by root, kept when stopped, found again."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.local.errors import ServerStartError
from shared.local.kafka_settings import container_environment
from shared.local.lock import KAFKA_VERSION
from shared.local.ports import LOOPBACK, free_ports
from shared.local.readiness import database_problem, kafka_problem, poll
from shared.local.state import ServerState, StateFile, write_whole
from shared.local.status import Notify, ServerKind, ServerStatus, silent

_READY_SECONDS = 120.0
_OWNER = "rapport_owner"
_DATABASE = "rapport"


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What to run: the image, its variables, and which of its ports is bound to which of 127.0.0.1."""

    name: str
    image: str
    environment: Mapping[str, str]
    inner_port: int
    outer_port: int


class Engine(Protocol):
    """What we need of a container engine."""

    def run(self, spec: ContainerSpec) -> None:
        """Start the container of this name, creating it first unless it exists. Raises NoContainerEngineError."""

    def stop(self, name: str) -> None:
        """Stop the container and keep it; nothing when there is none."""

    def remove(self, name: str) -> None:
        """Stop the container and delete it with its data; nothing when there is none."""

    def running(self, name: str) -> bool:
        """Tell whether the container of this name runs; False without an engine."""

    def logs(self, name: str) -> str:
        """Give the last lines that it wrote."""


class ContainerServer:
    """One server of a root in a container."""

    def __init__(self, name: str, root: Path, engine: Engine, image: str) -> None:
        self.name = name
        self._root = root
        self._engine = engine
        self._image = image
        self._state = StateFile(root)
        self._memory = f"{name}-container"
        self._secret = root / "secrets" / "container-password"
        key = hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:12]
        self.container = f"rapport-{name}-{key}"

    @property
    def address(self) -> str | None:
        """Give what clients connect to; None before the first start."""
        port = self._port()
        if port is None:
            return None
        if self.name == "kafka":
            return f"{LOOPBACK}:{port}"
        return f"postgresql://{_OWNER}:{self._password()}@{LOOPBACK}:{port}/{_DATABASE}"

    def spec(self) -> ContainerSpec:
        """Say what to run; picks the ports at the first call and keeps them."""
        remembered = self._state.read(self._memory)
        if remembered is None:
            remembered = ServerState(tuple(free_ports(2)), None)
            self._state.write(self._memory, remembered)
        outer, other = remembered.ports
        if self.name == "kafka":  # the same port inside, so that the broker reaches itself by what it advertises
            return ContainerSpec(self.container, self._image, container_environment(outer, other), outer, outer)
        variables = {
            "POSTGRES_USER": _OWNER,
            "POSTGRES_PASSWORD": self._password(),
            "POSTGRES_DB": _DATABASE,
            "POSTGRES_INITDB_ARGS": "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --encoding=UTF8",
        }
        return ContainerSpec(self.container, self._image, variables, 5432, outer)

    def start(self, notify: Notify = silent) -> None:
        """Run it, pulling the image if need be. Raises NoContainerEngineError, ServerStartError."""
        notify(f"Starting {self.name} in a container …")
        self._engine.run(self.spec())
        if not poll(lambda: self.problem() is None, _READY_SECONDS, self.running):
            log = self._root / "logs" / f"{self.name}.log"
            text = self._engine.logs(self.container)
            write_whole(log, text)
            raise ServerStartError(self.name, "its container does not answer", log, text)

    def stop(self) -> None:
        """Stop the container; it keeps its data."""
        self._engine.stop(self.container)

    def erase(self) -> None:
        """Remove the container with its data."""
        self._engine.remove(self.container)

    def running(self) -> bool:
        """Ask the engine."""
        return self._engine.running(self.container)

    def problem(self) -> str | None:
        """Ask the server whether it works; None when it does."""
        address = self.address
        if address is None:
            return "never started"
        if self.name == "kafka":
            return kafka_problem(address)
        error = database_problem(address)
        return None if error is None else str(error)

    def status(self) -> ServerStatus:
        """Look at the container and ask the server."""
        detail = (self.problem() or "") if self.running() else "not running"
        port = self._port()
        where = None if port is None else f"{LOOPBACK}:{port}"
        return ServerStatus(self.name, ServerKind.CONTAINER, where, None, healthy=not detail, detail=detail)

    def _port(self) -> int | None:
        remembered = self._state.read(self._memory)
        return None if remembered is None else remembered.ports[0]

    def _password(self) -> str:
        if not self._secret.exists():
            self._secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._secret, secrets.token_hex(24), mode=0o600)
        return self._secret.read_text()


def container_servers(root: Path, connect: Callable[[], Engine]) -> tuple[ContainerServer, ContainerServer]:
    """Give both servers of a root: Kafka, PostgreSQL."""
    engine = connect()
    return (
        ContainerServer("kafka", root, engine, f"apache/kafka:{KAFKA_VERSION}"),
        ContainerServer("postgres", root, engine, "postgres:18"),
    )
