"""Customers and timeline in PostgreSQL: set-wise statements with hand-built binary arrays, versions checked in them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from services.profile.adapters.partitions import partition, statement
from services.profile.adapters.timeline_rows import COLUMNS, SIGNATURE, TRAILER, TimelineRows
from services.profile.domain.state import dump, load
from services.profile.ports import Change, Entry, Stored
from shared.runtime.arrays import byteas, int8s, texts, uuids
from shared.runtime.errors import PoisonError, StaleStateError
from shared.runtime.failpoints import Failpoints

# Ids come as bytes: psycopg would make a UUID object of each, at ten times the cost.
_CUSTOMERS = "SELECT uuid_send(id), version, doc FROM identities WHERE id = ANY(%s)"
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

    async def customers(self, connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        """Read customers by the bytes of their ids."""
        cursor = connection.cursor(binary=True)
        await cursor.execute(_CUSTOMERS, (uuids(sorted(keys)),))
        return {key.hex(): Stored(version, load(doc)) for key, version, doc in await cursor.fetchall()}

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

    async def write(self, connection: AsyncConnection, changes: Sequence[Change], entries: Sequence[Entry]) -> None:
        """Write customers, then timeline rows.

        Rows are written in the order of their ids, so that two workers never wait for each other in a circle.

        Raises:
            StaleStateError: a customer is not at the version that was read, or a key was added meanwhile.
        """
        ordered = sorted(changes, key=_by_key)
        await self._update([change for change in ordered if change.before], connection)
        await self._insert([change for change in ordered if not change.before], connection)
        middle = len(entries) // 2
        try:
            async with connection.cursor().copy(_COPY) as copy:
                await copy.write(SIGNATURE + self._rows.pack(entries[:middle]))
                self._failpoints.hit("in_copy")
                await copy.write(self._rows.pack(entries[middle:]) + TRAILER)
        except UniqueViolation as error:
            raise StaleStateError("an event of this batch was added to the timeline by somebody else") from error

    async def _update(self, changes: Sequence[Change], connection: AsyncConnection) -> None:
        if not changes:
            return
        cursor = await connection.execute(
            _UPDATE,
            (
                uuids([change.key for change in changes]),
                int8s([change.before for change in changes]),
                int8s([change.after.version for change in changes]),
                byteas([dump(change.after.state) for change in changes]),
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
                byteas([dump(change.after.state) for change in changes]),
            ),
        )
        _require_all(cursor.rowcount, len(changes))

    def forget(self) -> None:
        """Forget which months were made: the transaction that made them may not have committed."""
        self._made.clear()


def _by_key(change: Change) -> bytes:
    return change.key


def _require_all(written: int, wanted: int) -> None:
    if written != wanted:
        raise StaleStateError(f"{wanted - written} of {wanted} customers were changed by somebody else")
