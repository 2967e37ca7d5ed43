"""The one interface that every service extends: load what a batch touches, decide purely, save it.

The runtime owns the rest: polling, the fence, positions, sequences, COMMIT, dead letters, publishing, retries, metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

import msgspec
from psycopg import AsyncConnection

from shared.contracts.envelope import Headers
from shared.runtime.records import DueInstant, Poison, Received, Record

E = TypeVar("E")
K = TypeVar("K")
S = TypeVar("S")
R = TypeVar("R")


class Applied(msgspec.Struct, frozen=True):
    """The event took effect."""


class Duplicate(msgspec.Struct, frozen=True):
    """The event had taken effect before: nothing changes."""


class Conflict(msgspec.Struct, frozen=True):
    """Another event has this one's id: kept in the dead letters, not applied."""

    detail: str


class Dead(msgspec.Struct, frozen=True):
    """The event can never be applied: kept in the dead letters with its reason."""

    poison: Poison


class Erased(msgspec.Struct, frozen=True):
    """The event belongs to somebody who was erased: nothing is kept."""


Outcome = Applied | Duplicate | Conflict | Dead | Erased

APPLIED = Applied()
DUPLICATE = Duplicate()
ERASED = Erased()


class Message(msgspec.Struct, frozen=True, gc=False):
    """What goes on a topic; a null value is a tombstone.

    The runtime adds `ce_incarnation` and, on sequenced logs, `ce_sequence`; `ce_version` is the handler's to set.
    """

    key: bytes
    value: bytes | None
    headers: Headers


class Publication(msgspec.Struct, frozen=True, gc=False):
    """A message that becomes public when, and only when, the transaction commits.

    `key` finds the row again that the message is rendered from, should we crash between COMMIT and acknowledgement;
    `lane` is the partition of the message's partition key (`lane_of`).
    """

    topic: str
    lane: int
    key: bytes
    message: Message


class DirectMessage(msgspec.Struct, frozen=True, gc=False):
    """A message produced before COMMIT: for a stateless hop whose output may repeat with the same ids."""

    topic: str
    lane: int
    message: Message


class SetDue(msgspec.Struct, frozen=True):
    """Wake me at `at` under `key`; replaces what was set under that key in that lane."""

    lane: int
    key: str
    at: datetime


class ClearDue(msgspec.Struct, frozen=True):
    """Do not wake me under `key` any more."""

    lane: int
    key: str


DueChange = SetDue | ClearDue


@dataclass(frozen=True, slots=True)
class Decision(Generic[R]):
    """What a batch amounts to: rows to write, one outcome per event in the events' order, what to say, when to wake."""

    rows: R
    outcomes: Sequence[Outcome]
    publications: Sequence[Publication] = field(default=())
    due: Sequence[DueChange] = field(default=())
    direct: Sequence[DirectMessage] = field(default=())


class Handler(Protocol[E, K, S, R]):
    """One per service. Everything but `load` and `save` is pure and synchronous.

    A batch may be decided more than once (a lost race, a fault), so nothing may be remembered outside `save` but a
    cache that `forget` empties.
    """

    def decode(self, record: Record) -> Sequence[E | Poison]:
        """Read the events of a record, in order; never raises on bad input, never drops any of it."""
        ...

    def keys(self, events: Sequence[Received[E]], due: Sequence[DueInstant]) -> K:
        """Tell which state rows these events touch."""
        ...

    async def load(self, connection: AsyncConnection, keys: K) -> S:
        """Read those rows, set-wise, with their versions."""
        ...

    def decide(self, events: Sequence[Received[E]], due: Sequence[DueInstant], state: S, now: datetime) -> Decision[R]:
        """Decide what the events and due instants amount to. A due instant that was fired is gone unless set anew."""
        ...

    async def save(self, connection: AsyncConnection, rows: R) -> None:
        """Write the rows, set-wise.

        Raises:
            StaleStateError: a row is no longer at the version that was loaded; the batch is redone.
        """
        ...

    def forget(self) -> None:
        """Drop every cached state: a lane changed hands, or a transaction did not commit."""
        ...


class Current(msgspec.Struct, frozen=True):
    """Where a state topic's key stands in the table: the key that finds its row, and the row's version."""

    key: bytes
    version: int


class Outlet(Protocol):
    """Renders committed publications again after a crash, and answers the auditor of state topics."""

    async def render(self, connection: AsyncConnection, topic: str, keys: Sequence[bytes]) -> Sequence[Message]:
        """Render one message per publication key, in their order.

        On a log this must give what was decided at COMMIT; on a state topic, the state as it is now.
        """
        ...

    async def current(
        self, connection: AsyncConnection, topic: str, message_keys: Sequence[bytes]
    ) -> Mapping[bytes, Current]:
        """Tell, by message key, what the table holds; only for state topics, keys unknown to the table are left out."""
        ...
