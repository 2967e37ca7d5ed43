"""The two servers that everything needs, wherever they come from, under one roof."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from shared.local.errors import MissingExtraError, NotEmbeddedError, UnknownStackError
from shared.local.external import DATABASE_VARIABLE, KAFKA_VARIABLE, ExternalKafka, ExternalPostgres
from shared.local.space import environment as process_environment
from shared.local.status import Notify, Server, ServerKind, ServerStatus, silent

if TYPE_CHECKING:
    from shared.local.kafka import EmbeddedKafka
    from shared.local.postgres import EmbeddedPostgres

__all__ = ["ServerKind", "ServerStatus", "Stack", "StackAddresses"]

STACK_VARIABLE = "CRM_STACK"


@dataclass(frozen=True, slots=True)
class StackAddresses:
    """Where the two servers are. The database's URL holds a password: never log it."""

    kafka: str
    """Bootstrap servers, "127.0.0.1:PORT"."""
    database_url: str
    """postgresql://rapport_owner:SECRET@127.0.0.1:PORT/rapport; the role is a superuser on a local stack."""


class Stack:
    """The two servers, each resolved in this order: its environment variable, CRM_STACK=containers, embedded.

    The root is the `.rapport/` folder of a checkout: data, logs, state.json, secrets (mode 0600). All that runs belongs
    to a root, so that two checkouts do not meet.
    """

    def __init__(self, root: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.root = root.absolute()
        self._environment = process_environment() if environment is None else environment

    def up(self, *, notify: Notify = silent) -> StackAddresses:
        """Start what does not run, and return when both answer.

        Running servers of this root are found and reused, data of an earlier run are kept, as are the ports. Raises
        LocalStackError, whose message says what to do.
        """
        postgres, kafka = self._postgres(), self._kafka()
        for server in (postgres, kafka):
            server.start(notify)
        return StackAddresses(str(kafka.address), str(postgres.address))

    def status(self) -> list[ServerStatus]:
        """Look at both servers: Kafka, then PostgreSQL."""
        return [self._kafka().status(), self._postgres().status()]

    def down(self) -> None:
        """Stop all servers of this root, also those that a killed parent left; data stay. External ones stay up."""
        for server in self._all():
            server.stop()

    def addresses(self) -> StackAddresses | None:
        """Give the addresses when both servers run, without asking whether they answer; else None."""
        kafka, postgres = self._kafka(), self._postgres()
        if kafka.address is None or postgres.address is None or not (kafka.running() and postgres.running()):
            return None
        return StackAddresses(kafka.address, postgres.address)

    def erase(self) -> None:
        """Stop all servers of this root and delete their data; logs and ports stay, as do external servers."""
        for server in self._all():
            server.erase()

    @property
    def kafka(self) -> "EmbeddedKafka":
        """The embedded Kafka of this root, to be killed, paused and restarted. Raises NotEmbeddedError."""
        server = self._kafka()
        from shared.local.kafka import EmbeddedKafka  # noqa: PLC0415 - an extra that external servers do without

        if not isinstance(server, EmbeddedKafka):
            raise NotEmbeddedError("Kafka")
        return server

    @property
    def postgres(self) -> "EmbeddedPostgres":
        """The embedded PostgreSQL of this root, to be killed, paused and restarted. Raises NotEmbeddedError."""
        server = self._postgres()
        from shared.local.postgres import EmbeddedPostgres  # noqa: PLC0415 - as above

        if not isinstance(server, EmbeddedPostgres):
            raise NotEmbeddedError("PostgreSQL")
        return server

    def _kafka(self) -> Server:
        external = self._environment.get(KAFKA_VARIABLE)
        if external:
            return ExternalKafka(external)
        return self._containers()[0] if self._in_containers() else embedded(self.root)[0]

    def _postgres(self) -> Server:
        external = self._environment.get(DATABASE_VARIABLE)
        if external:
            return ExternalPostgres(external)
        return self._containers()[1] if self._in_containers() else embedded(self.root)[1]

    def _in_containers(self) -> bool:
        value = self._environment.get(STACK_VARIABLE, "")
        if value not in ("", "embedded", "containers"):
            raise UnknownStackError(value)
        return value == "containers"

    def _containers(self) -> tuple[Server, Server]:
        try:
            from shared.local.containers import container_servers  # noqa: PLC0415 - as above
            from shared.local.engine import DockerEngine  # noqa: PLC0415 - as above
        except ModuleNotFoundError as error:
            raise MissingExtraError("containers", str(error)) from error
        return container_servers(self.root, DockerEngine)

    def _all(self) -> list[Server]:
        """List what may run for this root, also what was started before the variables were set."""
        found: list[Server] = [*self._containers()] if self._in_containers() else []
        return [*found, *embedded(self.root)] if self.root.exists() and installed("jgo") else found


def installed(package: str) -> bool:
    """Tell whether an optional package is there; without it nothing embedded was ever started."""
    return find_spec(package) is not None


def embedded(root: Path) -> "tuple[EmbeddedKafka, EmbeddedPostgres]":
    """Give the embedded servers of a root. Raises MissingExtraError when their packages are not installed."""
    try:
        from shared.local.kafka import EmbeddedKafka  # noqa: PLC0415 - as above
        from shared.local.postgres import EmbeddedPostgres  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise MissingExtraError("local", str(error)) from error
    return EmbeddedKafka(root), EmbeddedPostgres(root)
