"""What the handler needs of the database: a few set-wise verbs, each within the batch's transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol

import msgspec
from psycopg import AsyncConnection

from services.profile.accounting import AccountSaid
from services.profile.domain.clusters import Cluster, Standing, Stored, Territory
from services.profile.domain.decisions import Applied, Decision
from services.profile.domain.event import Event
from services.profile.domain.links import Link
from services.profile.domain.settling import RegionChange
from services.profile.domain.state import State
from shared.contracts.identities import IdentityRef

Pair = tuple[str, str]


class Change(msgspec.Struct, frozen=True, gc=False):
    """An identity of which document and version alone change: written only if the table still has `before` (0: no row).

    An identity of a cluster keeps its version: there the root's counts.
    """

    owner: IdentityRef
    key: bytes
    before: int
    after: Stored


class Seating(msgspec.Struct, frozen=True, gc=False):
    """An identity of which more changes, its place in the graph among it."""

    ref: IdentityRef
    key: bytes
    before: int
    version: int
    state: State | None
    root: str | None
    membership: int
    standing: Standing | None


class ClusterChange(msgspec.Struct, frozen=True, gc=False):
    """A customer of several identities as the batch leaves it; `before` as in `Change`.

    Unless it `moves`, it stays in the region where it is by now, which may have been united with another meanwhile.
    """

    root: str
    before: int
    after: Cluster
    moves: bool


class GraphChange(msgspec.Struct, frozen=True):
    """What a batch changes about who is who, and of customers that are more than one row."""

    seatings: Sequence[Seating]
    clusters: Sequence[ClusterChange]
    gone: Mapping[str, int]
    regions: Sequence[RegionChange]
    regions_gone: Mapping[str, int]
    moved_regions: Mapping[str, str]
    links: Sequence[tuple[Link, bool]]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A row of the timeline: an event, its customer's bytes, and the version of the record that first contains it."""

    event: Event
    customer_key: bytes
    customer_version: int
    membership: int = 1


class Whole(msgspec.Struct, frozen=True):
    """Customers with every identity that they have."""

    identities: Mapping[str, Stored]
    refs: Mapping[str, IdentityRef]
    clusters: Mapping[str, Cluster]
    territories: Mapping[str, Territory]


class CustomerStore(Protocol):
    """Identities, who is who, and the timeline."""

    async def identities(self, connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        """Read identities by the bytes of their ids; returns them by id, without those that have no row."""
        ...

    async def go_beside(self, connection: AsyncConnection) -> None:
        """Let others work on who is who meanwhile; wait for who works alone."""
        ...

    async def go_alone(self, connection: AsyncConnection) -> None:
        """Wait until nobody else works on who is who, and keep them out until this transaction ends."""
        ...

    async def clusters(
        self, connection: AsyncConnection, roots: Collection[str]
    ) -> tuple[Mapping[str, Cluster], Mapping[str, Territory]]:
        """Read customers of several identities by their roots, and the contested regions that they are in."""
        ...

    async def whole(self, connection: AsyncConnection, roots: Collection[str], regions: Collection[str]) -> Whole:
        """Read these customers and all in these regions, with every identity."""
        ...

    async def people(self, connection: AsyncConnection, ids: Collection[str]) -> Whole:
        """Read these identities alone, with what they are called, their customers and the regions of those."""
        ...

    async def upset(self, connection: AsyncConnection, regions: Collection[str]) -> Mapping[str, int]:
        """Tell which of these regions wait for the clock, and how many identities each has."""
        ...

    async def links(self, connection: AsyncConnection, pairs: Collection[Pair]) -> Mapping[Pair, Link]:
        """Read what is known about pairs, each with the lesser id first."""
        ...

    async def links_among(self, connection: AsyncConnection, ids: Collection[str]) -> Mapping[Pair, Link]:
        """Read all links of which both ends are among these."""
        ...

    async def links_of(
        self, connection: AsyncConnection, ids: Collection[str], most: int | None = None
    ) -> Mapping[Pair, Link]:
        """Read all links of these, or `most` of them, whoever is at the other end."""
        ...

    async def pending(self, connection: AsyncConnection, ids: Collection[str]) -> Sequence[Decision]:
        """Read those of these decisions that were not applied yet, first decided first."""
        ...

    async def keep_applied(self, connection: AsyncConnection, applied: Sequence[Applied]) -> None:
        """Write what came of decisions.

        Raises:
            StaleStateError: one of them was applied meanwhile.
        """
        ...

    async def hashes(self, connection: AsyncConnection, keys: Mapping[date, Sequence[bytes]]) -> Mapping[bytes, bytes]:
        """Tell which of these keys, by month, the timeline has, with their payload hashes; missing months are made."""
        ...

    async def write(
        self,
        connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        """Write identities, who is who, and timeline rows.

        Raises:
            StaleStateError: a row is not at the version that was read, or was added meanwhile.
        """
        ...

    async def add_to_accounts(self, connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
        """Join what was said of accounts to what they are, and keep which identities said so."""
        ...

    def forget(self) -> None:
        """Drop what is remembered of a database that may not be as we left it."""
        ...
