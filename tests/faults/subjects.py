"""A subject: a service as the matrix sees it, with what it is fed and what must come of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import psycopg

from shared.contracts.topics import Topic
from shared.runtime.schema_revision import History
from tests.faults.sent import Record

Connection = psycopg.Connection[tuple[Any, ...]]


class Subject(Protocol):
    """One service under test."""

    @property
    def service(self) -> str:
        """Return the name in its failpoints, its schema and its group."""
        ...

    @property
    def module(self) -> Sequence[str]:
        """Return what `python -m` takes to start it."""
        ...

    @property
    def history(self) -> History:
        """Return its migrations."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """Return settings that it needs besides addresses."""
        ...

    @property
    def inputs(self) -> Sequence[Topic]:
        """Return the topics that it reads."""
        ...

    @property
    def outputs(self) -> Sequence[Topic]:
        """Return the topics that it writes."""
        ...

    def record(self, number: int) -> Record:
        """Make the n-th record of a feed."""
        ...

    def poison(self, number: int) -> Record:
        """Make a record that can't be read."""
        ...

    def idle(self, connection: Connection) -> bool:
        """Tell whether the service has nothing left to do but what comes."""
        ...

    def differences(self, bootstrap: str, connection: Connection, sent: Sequence[Record]) -> list[str]:
        """Compare the service's own tables with the oracle's answer to what was sent."""
        ...

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        """Return what the table says of a state topic: the version of each key."""
        ...
