"""Customers, memberships and history in PostgreSQL: each table one statement a batch."""

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from services.segmenter.domain.customer import pack, unpack
from services.segmenter.domain.instants import moment
from services.segmenter.ports import Entry, Stored, Written
from shared.contracts.codec import encode
from shared.runtime.arrays import byteas, int4s, int8s, texts, timestamps, uuids
from shared.runtime.errors import StaleStateError

# The id as bytes: building a UUID object for each row costs more than all else here.
_LOAD = "SELECT uuid_send(customer_id), version, revision, doc FROM customers WHERE customer_id = ANY(%s)"
_FAMILIES = """
    WITH RECURSIVE family (customer_id) AS (
        SELECT c.customer_id FROM customers c WHERE c.member_of = ANY(%s)
        UNION
        SELECT c.customer_id FROM family f JOIN customers c ON c.member_of = f.customer_id
    )
    SELECT uuid_send(c.customer_id), c.version, c.revision, c.doc FROM family f JOIN customers c USING (customer_id)
"""
_INSERT = """
    INSERT INTO customers (customer_id, lane, revision, version, doc, member_of)
    SELECT n.customer_id, n.lane, n.revision, 1, n.doc, n.member_of::uuid
    FROM unnest(%s, %s, %s, %s, %s) AS n (customer_id, lane, revision, doc, member_of)
    ON CONFLICT (customer_id) DO NOTHING
"""
_MOVE = """
    UPDATE customers c SET member_of = n.member_of::uuid FROM unnest(%s, %s) AS n (customer_id, member_of)
    WHERE c.customer_id = n.customer_id
"""
_UPDATE = """
    UPDATE customers c SET version = c.version + 1, revision = n.revision, doc = n.doc
    FROM unnest(%s, %s, %s, %s) AS n (customer_id, loaded, revision, doc)
    WHERE c.customer_id = n.customer_id AND c.version = n.loaded
"""
_HISTORY = """
    INSERT INTO history (customer_id, segment, sequence, change, definition_version, effective_at, computed_at, cause,
        reason, customer_version, accepted_at)
    SELECT customer_id, segment, sequence, change, definition_version, effective_at, computed_at, cause::json,
        reason::json, customer_version, accepted_at
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS n (customer_id, segment, sequence, change,
        definition_version, effective_at, computed_at, cause, reason, customer_version, accepted_at)
"""
_MEMBERSHIPS = """
    INSERT INTO memberships AS m (customer_id, segment, inside, since, sequence, definition_version)
    SELECT customer_id, segment, inside = 1, since, sequence, definition_version
    FROM unnest(%s, %s, %s, %s, %s, %s) AS n (customer_id, segment, inside, since, sequence, definition_version)
    ON CONFLICT (customer_id, segment) DO UPDATE SET inside = excluded.inside, since = excluded.since,
        sequence = excluded.sequence, definition_version = excluded.definition_version
"""


class PostgresCustomers:
    """The segmenter's tables. A row that somebody else wrote since it was loaded makes the whole batch stale."""

    async def load(self, connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read customers; unknown ones are left out."""
        return await _read(connection, _LOAD, customer_ids)

    async def families(self, connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read all that belong to customers, directly or by way of one that does."""
        return await _read(connection, _FAMILIES, customer_ids)

    async def write(self, connection: AsyncConnection, rows: Sequence[Written], entries: Sequence[Entry]) -> None:
        """Write customers and the changes that led there.

        Raises:
            StaleStateError: a row is no longer at the version it was loaded at.
        """
        known = [row for row in rows if row.loaded]
        new = [row for row in rows if not row.loaded]
        written = 0
        if known:
            written += await _count(
                connection,
                _UPDATE,
                uuids([bytes.fromhex(row.customer_id) for row in known]),
                int8s([row.loaded for row in known]),
                int4s([row.revision for row in known]),
                byteas([pack(row.customer) for row in known]),
            )
        if new:
            written += await _count(
                connection,
                _INSERT,
                uuids([bytes.fromhex(row.customer_id) for row in new]),
                int4s([row.lane for row in new]),
                int4s([row.revision for row in new]),
                byteas([pack(row.customer) for row in new]),
                texts([row.member_of for row in new]),
            )
        if written != len(rows):
            raise StaleStateError(f"{len(rows) - written} of {len(rows)} customers were written by somebody else")
        if moved := [row for row in known if row.moved]:
            await _count(
                connection,
                _MOVE,
                uuids([bytes.fromhex(row.customer_id) for row in moved]),
                texts([row.member_of for row in moved]),
            )
        if entries:
            await _write_history(connection, entries)
            last = {(one.customer_id, one.transition.segment): one for one in entries}
            await _write_memberships(connection, [last[key] for key in sorted(last)])


async def _read(connection: AsyncConnection, statement: str, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(statement.encode(), (uuids([bytes.fromhex(one) for one in customer_ids]),))
        return {
            customer_id.hex(): Stored(version, revision, unpack(doc))
            for customer_id, version, revision, doc in await cursor.fetchall()
        }


async def _count(connection: AsyncConnection, statement: str, *arrays: object) -> int:
    cursor = await connection.execute(statement, arrays)
    return cursor.rowcount


async def _write_history(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    transitions = [one.transition for one in entries]
    await connection.execute(
        _HISTORY,
        (
            uuids([bytes.fromhex(one.customer_id) for one in entries]),
            texts([one.segment for one in transitions]),
            int8s([one.standing.sequence for one in transitions]),
            texts([one.change for one in transitions]),
            int4s([one.standing.definition_version for one in transitions]),
            timestamps([moment(one.standing.at) for one in transitions]),
            timestamps([moment(one.computed_at) for one in entries]),
            texts([encode(one.cause).decode() for one in transitions]),
            texts([encode(one.reason).decode() for one in transitions]),
            int8s([one.customer_version for one in transitions]),
            texts([one.accepted_at for one in entries]),
        ),
    )


async def _write_memberships(connection: AsyncConnection, last: Sequence[Entry]) -> None:
    standings = [one.transition.standing for one in last]
    await connection.execute(
        _MEMBERSHIPS,
        (
            uuids([bytes.fromhex(one.customer_id) for one in last]),
            texts([one.transition.segment for one in last]),
            int4s([int(one.inside) for one in standings]),
            timestamps([moment(one.at) for one in standings]),
            int8s([one.sequence for one in standings]),
            int4s([one.definition_version for one in standings]),
        ),
    )
