"""What the segmenter needs from outside: somewhere to keep customers, memberships and their history."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from psycopg import AsyncConnection

from services.segmenter.domain.customer import Customer
from services.segmenter.domain.membership import Transition


class Stored(msgspec.Struct, frozen=True):
    """A customer's row: `version` counts its writes, `revision` is the catalogue that judged every segment last."""

    version: int
    revision: int
    customer: Customer


class Written(msgspec.Struct, frozen=True):
    """A customer's row to write; `loaded` is the version it was read at, 0 for a new one.

    `moved` says that it belongs to another customer than before, or to none.
    """

    customer_id: str
    lane: int
    loaded: int
    revision: int
    customer: Customer
    moved: bool = False

    @property
    def member_of(self) -> str | None:
        """Tell whose identity it is, if it is not its own customer."""
        return None if self.customer.ties is None else self.customer.ties.customer


class Entry(msgspec.Struct, frozen=True):
    """A line of the history: what is published of it is rendered from this alone. Times are instants."""

    customer_id: str
    lane: int
    computed_at: int
    accepted_at: str | None
    transition: Transition


class CustomerStore(Protocol):
    """Keeps customers with where they stand, and each change."""

    async def load(self, connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read customers; unknown ones are left out."""
        ...

    async def families(self, connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read all that belong to customers, directly or by way of one that does."""
        ...

    async def write(self, connection: AsyncConnection, rows: Sequence[Written], entries: Sequence[Entry]) -> None:
        """Write customers and the changes that led there, in their order.

        Raises:
            StaleStateError: a row is no longer at the version it was loaded at.
        """
        ...


class ChangeLog(Protocol):
    """Hears of each change once it is certain."""

    def note(self, entries: Sequence[Entry]) -> None:
        """Take note of changes written in a transaction that is not committed yet."""
        ...

    def settled(self) -> None:
        """Count what was noted: the transaction committed."""
        ...

    def forget(self) -> None:
        """Drop what was noted: the transaction did not commit."""
        ...
