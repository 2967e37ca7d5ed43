"""Customers and timeline in PostgreSQL: set-wise statements with hand-built binary arrays, versions checked in them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from services.profile.accounting import AccountSaid
from services.profile.adapters import graph_rows, postgres_accounts, postgres_decisions, postgres_graph, search_terms
from services.profile.adapters.partitions import partition, statement
from services.profile.adapters.timeline_rows import COLUMNS, SIGNATURE, TRAILER, TimelineRows
from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.decisions import Applied, Decision
from services.profile.domain.finding import is_searched
from services.profile.domain.links import Link
from services.profile.domain.state import State, dump
from services.profile.ports import Change, Entry, GraphChange, Pair, Whole
from shared.contracts.catalogue import Family
from shared.runtime.arrays import byteas, int8s, texts, uuids
from shared.runtime.errors import PoisonError, StaleStateError
from shared.runtime.failpoints import Failpoints

# Ids come as bytes: psycopg would make a UUID object of each, at ten times the cost.
_KNOWN = "SELECT uuid_send(key), uuid_send(payload_hash) FROM {} WHERE key = ANY(%s)"
_MAKE_MONTHS = "SELECT make_timeline_months(%s)"
_MISSING = "SELECT name FROM unnest(%s::text[]) AS n (name) WHERE to_regclass(name) IS NULL"
_UPDATE = """
    UPDATE identities i SET version = n.version, doc = n.doc
    FROM unnest(%s, %s, %s, %s) AS n (id, before, version, doc)
    WHERE i.id = n.id AND i.version = n.before
"""
_INSERT = """
    INSERT INTO identities (id, kind, value, version, doc) SELECT * FROM unnest(%s, %s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""
_COPY = f"COPY timeline ({', '.join(COLUMNS)}) FROM STDIN WITH (FORMAT binary)"

_NAMES = str(Family.IDENTIFY)

MOST_NEW_MONTHS = 100
"""Months made in one transaction: each takes ten of PostgreSQL's locks, of which a default server has 6,400 in all."""


class TooManyMonthsError(PoisonError):
    """A batch reaches into too many months that are not there yet; no event does, so halves of it go through."""

    def __init__(self, months: int) -> None:
        super().__init__(f"a batch with events of {months} new months is taken in parts of {MOST_NEW_MONTHS} at most")


class PostgresCustomers:
    """The customer store; `in_copy` is passed in the middle of the timeline's COPY."""

    def __init__(self, failpoints: Failpoints) -> None:
        self._failpoints = failpoints
        self._rows = TimelineRows()
        self._made: set[date] = set()

    async def identities(self, connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        """Read identities by the bytes of their ids."""
        return await postgres_graph.read_identities(connection, keys)

    async def go_beside(self, connection: AsyncConnection) -> None:
        """Let others work on who is who meanwhile; wait for who works alone."""
        await postgres_graph.go_beside(connection)

    async def go_alone(self, connection: AsyncConnection) -> None:
        """Wait until nobody else works on who is who, and keep them out until this transaction ends."""
        await postgres_graph.go_alone(connection)

    async def clusters(
        self, connection: AsyncConnection, roots: Collection[str]
    ) -> tuple[Mapping[str, Cluster], Mapping[str, Territory]]:
        """Read customers of several identities by their roots, and the contested regions that they are in."""
        return await postgres_graph.read_clusters(connection, roots)

    async def whole(self, connection: AsyncConnection, roots: Collection[str], regions: Collection[str]) -> Whole:
        """Read these customers and all in these regions, with every identity."""
        return await postgres_graph.read_whole(connection, roots, regions)

    async def people(self, connection: AsyncConnection, ids: Collection[str]) -> Whole:
        """Read these identities alone, with what they are called, their customers and the regions of those."""
        return await postgres_graph.read_people(connection, ids)

    async def upset(self, connection: AsyncConnection, regions: Collection[str]) -> Mapping[str, int]:
        """Tell which of these regions wait for the clock, and how many identities each has."""
        return await postgres_graph.read_upset(connection, regions)

    async def links(self, connection: AsyncConnection, pairs: Collection[Pair]) -> Mapping[Pair, Link]:
        """Read what is known about pairs, each with the lesser id first."""
        return await postgres_graph.read_links(connection, pairs)

    async def links_among(self, connection: AsyncConnection, ids: Collection[str]) -> Mapping[Pair, Link]:
        """Read all links of which both ends are among these."""
        return await postgres_graph.read_links_among(connection, ids)

    async def links_of(
        self, connection: AsyncConnection, ids: Collection[str], most: int | None = None
    ) -> Mapping[Pair, Link]:
        """Read all links of these, or `most` of them, whoever is at the other end."""
        return await postgres_graph.read_links_of(connection, ids, most)

    async def pending(self, connection: AsyncConnection, ids: Collection[str]) -> Sequence[Decision]:
        """Read those of these decisions that were not applied yet, first decided first."""
        return await postgres_decisions.read_pending(connection, ids)

    async def keep_applied(self, connection: AsyncConnection, applied: Sequence[Applied]) -> None:
        """Write what came of decisions.

        Raises:
            StaleStateError: one of them was applied meanwhile.
        """
        await postgres_decisions.write_applied(connection, applied)

    async def hashes(self, connection: AsyncConnection, keys: Mapping[date, Sequence[bytes]]) -> Mapping[bytes, bytes]:
        """Tell which keys the timeline has, asking each month's partition for its own.

        Raises:
            TooManyMonthsError: more months would have to be made than one transaction can.
        """
        new = sorted(keys.keys() - self._made)
        if len(new) > MOST_NEW_MONTHS:
            new = await self._missing(connection, new)
        if len(new) > MOST_NEW_MONTHS:
            raise TooManyMonthsError(len(new))
        if new:
            await connection.execute(_MAKE_MONTHS, (new,))
            self._made.update(new)
        known: dict[bytes, bytes] = {}
        cursor = connection.cursor(binary=True)
        for month, some in keys.items():
            await cursor.execute(statement(_KNOWN, month), (uuids(some),))
            known.update(await cursor.fetchall())
        return known

    async def _missing(self, connection: AsyncConnection, months: Sequence[date]) -> list[date]:
        cursor = await connection.execute(_MISSING, ([partition(month) for month in months],))
        names = {name for (name,) in await cursor.fetchall()}
        self._made.update(month for month in months if partition(month) not in names)
        return [month for month in months if partition(month) in names]

    async def write(
        self,
        connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        """Write identities, who is who, then timeline rows.

        Rows are written in the order of their ids, so that two workers never wait for each other in a circle.

        Raises:
            StaleStateError: a customer is not at the version that was read, or a key was added meanwhile.
        """
        if graph is None:
            ordered = sorted(changes, key=_by_key)
            await self._update([change for change in ordered if change.before], connection)
            await self._insert([change for change in ordered if not change.before], connection)
        else:
            await graph_rows.write_graph(connection, changes, graph)
        await search_terms.note(connection, _findable(changes, graph, entries))
        if not entries:
            return
        middle = len(entries) // 2
        try:
            async with connection.cursor().copy(_COPY) as copy:
                await copy.write(SIGNATURE + self._rows.pack(entries[:middle]))
                self._failpoints.hit("in_copy")
                await copy.write(self._rows.pack(entries[middle:]) + TRAILER)
        except UniqueViolation as error:
            raise StaleStateError("an event of this batch was added to the timeline by somebody else") from error

    async def add_to_accounts(self, connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
        """Join what was said of accounts to what they are, and keep which identities said so."""
        await postgres_accounts.add_to_accounts(connection, said)

    async def _update(self, changes: Sequence[Change], connection: AsyncConnection) -> None:
        if not changes:
            return
        cursor = await connection.execute(
            _UPDATE,
            (
                uuids([change.key for change in changes]),
                int8s([change.before for change in changes]),
                int8s([change.after.version for change in changes]),
                byteas([dump(_state(change)) for change in changes]),
            ),
        )
        _require_all(cursor.rowcount, len(changes))

    async def _insert(self, changes: Sequence[Change], connection: AsyncConnection) -> None:
        if not changes:
            return
        cursor = await connection.execute(
            _INSERT,
            (
                uuids([change.key for change in changes]),
                texts([change.owner.kind for change in changes]),
                texts([change.owner.value for change in changes]),
                int8s([change.after.version for change in changes]),
                byteas([dump(_state(change)) for change in changes]),
            ),
        )
        _require_all(cursor.rowcount, len(changes))

    def forget(self) -> None:
        """Forget which months were made: the transaction that made them may not have committed."""
        self._made.clear()


def _state(change: Change) -> State:
    if change.after.state is None:
        raise ValueError("whoever has no place in the graph did something")
    return change.after.state


def _findable(changes: Sequence[Change], graph: GraphChange | None, entries: Sequence[Entry]) -> list[bytes]:
    # Who is new, and whoever may be called otherwise than before: most events are neither.
    new = [change.key for change in changes if not change.before and is_searched(change.owner.kind)]
    if graph is not None:
        new += [seat.key for seat in graph.seatings if not seat.before and is_searched(seat.ref.kind)]
    return new + list({entry.event.owner_key for entry in entries if entry.event.interaction.family == _NAMES})


def _by_key(change: Change) -> bytes:
    return change.key


def _require_all(written: int, wanted: int) -> None:
    if written != wanted:
        raise StaleStateError(f"{wanted - written} of {wanted} customers were changed by somebody else")
