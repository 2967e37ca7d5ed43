"""A subject: a service as the matrix sees it, with what it is fed and what must come of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.contracts.topics import Topic
from shared.runtime.schema_revision import History
from tests.faults.sent import Record
from tests.faults.world import Connection, World


@dataclass(frozen=True, slots=True)
class Stage:
    """One service on the way of an event; `service` names it in failpoints, its schema and its group."""

    service: str
    module: str
    history: History
    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a feed looks like: records a second, shares of repeats and of poison, and how far records are shuffled."""

    rate: int = 1200
    repeats: float = 0.01
    poison: float = 0.002
    shuffled: int = 0


class Subject(Protocol):
    """One service under test, and the stages that must run for it, itself included, in the order of the flow."""

    @property
    def stage(self) -> Stage:
        """Return the service that is broken."""
        ...

    @property
    def stages(self) -> Sequence[Stage]:
        """Return every service that runs."""
        ...

    @property
    def shape(self) -> Shape:
        """Return what its feed looks like, unless a row says otherwise."""
        ...

    def running(self) -> AbstractContextManager[Mapping[str, str]]:
        """Start what the services need besides the two servers, and give the settings that they need."""
        ...

    def record(self, number: int) -> Record:
        """Make the n-th record of a feed."""
        ...

    def poison(self, number: int) -> Record:
        """Make a record that can't be read."""
        ...

    def idle(self, world: World) -> bool:
        """Tell whether the services have nothing left to do but what comes."""
        ...

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        """Compare the services' own tables and topics with the oracle's answer to what was sent."""
        ...

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        """Return what the table says of a state topic: the version of each key."""
        ...
