"""What one can say about a server of the stack."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Notify = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody about progress."""


class ServerKind(StrEnum):
    """Where a server comes from."""

    EMBEDDED = "embedded"
    EXTERNAL = "external"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server now.

    The address is host:port, without role or password; the detail says what is wrong and is empty when nothing is.
    """

    name: str
    kind: ServerKind
    address: str | None
    pid: int | None
    healthy: bool
    detail: str


class Server(Protocol):
    """A Kafka or a PostgreSQL, wherever it comes from."""

    @property
    def name(self) -> str:
        """Give `kafka` or `postgres`."""

    @property
    def address(self) -> str | None:
        """Give what clients connect to, password included; None when it was not started."""

    def start(self, notify: Notify = silent) -> None:
        """Start it unless it runs, and return when it answers. Raises LocalStackError."""

    def stop(self) -> None:
        """Stop it; nothing when it does not run or is not ours to stop."""

    def erase(self) -> None:
        """Stop it and delete its data; nothing when it is not ours."""

    def running(self) -> bool:
        """Tell whether it was started and not stopped, without asking it; an external one always."""

    def status(self) -> ServerStatus:
        """Look at it, within a few seconds; raises nothing because the server is ill."""
