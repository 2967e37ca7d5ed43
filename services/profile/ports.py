"""What the handler needs of the database: three set-wise verbs, each within the batch's transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.event import Event
from services.profile.domain.record import Portrait
from services.profile.domain.state import State
from shared.contracts.identities import IdentityRef


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A customer as the table has it, with what was drawn of it for its last record."""

    version: int
    state: State
    portrait: Portrait | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """A customer as the batch leaves it: written only if the table still has `before` (0: no row)."""

    owner: IdentityRef
    key: bytes
    before: int
    after: Stored


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A row of the timeline: an event, and the version of its customer's record that first contains it."""

    event: Event
    customer_version: int


class CustomerStore(Protocol):
    """Customers and their timeline."""

    async def customers(self, connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        """Read customers by the bytes of their ids; returns them by id, without those that have no row."""
        ...

    async def hashes(self, connection: AsyncConnection, keys: Mapping[date, Sequence[bytes]]) -> Mapping[bytes, bytes]:
        """Tell which of these keys, by month, the timeline has, with their payload hashes; missing months are made."""
        ...

    async def write(self, connection: AsyncConnection, changes: Sequence[Change], entries: Sequence[Entry]) -> None:
        """Write customers and timeline rows.

        Raises:
            StaleStateError: a customer is not at the version that was read, or a key was added meanwhile.
        """
        ...

    def forget(self) -> None:
        """Drop what is remembered of a database that may not be as we left it."""
        ...
