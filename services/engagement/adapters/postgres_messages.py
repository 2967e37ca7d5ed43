"""The message ledger in PostgreSQL: rows locked, stepped and written set-wise, and what is announced kept with them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.engagement.adapters import postgres_memberships
from services.engagement.adapters.postgres_announcements import keep
from services.engagement.domain.announcement import Announcement, announce
from services.engagement.domain.contact import Contact, contact_of
from services.engagement.domain.following import owner_of
from services.engagement.domain.ledger import Entry, Origin
from services.engagement.ports import Waiting
from shared.contracts.outreach import MessageState
from shared.runtime.arrays import int4s, texts, timestamps
from shared.runtime.errors import StaleStateError

COLUMNS = """
    key, lane, campaign, step, channel, customer_id, occurrence, address_hash, caused_at, state, rule, detail, attempt,
    revision, planned_at, changed_at, due_at, provider_id, reply
"""

_INSERT = """
    INSERT INTO messages (key, lane, campaign, step, channel, customer_id, occurrence, address_hash, caused_at, state,
        rule, detail, attempt, revision, planned_at, changed_at, due_at)
    SELECT key, lane, campaign, step, channel, customer_id, occurrence, address_hash, caused_at::timestamptz, state,
        rule, detail, attempt, revision, planned_at, changed_at, due_at
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS n (key, lane, campaign, step,
        channel, customer_id, occurrence, address_hash, caused_at, state, rule, detail, attempt, revision, planned_at,
        changed_at, due_at)
    ON CONFLICT DO NOTHING
"""
_UPDATE = """
    UPDATE messages m SET state = n.state, rule = n.rule, detail = n.detail, attempt = n.attempt,
        revision = n.revision, changed_at = n.changed_at, due_at = n.due_at, provider_id = n.provider_id,
        reply = n.reply
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS n (key, state, rule, detail, attempt, revision, changed_at,
        due_at, provider_id, reply)
    WHERE m.key = n.key AND m.revision = n.revision - 1
"""
_TAKE = f"""
    SELECT {COLUMNS} FROM messages WHERE lane = ANY(%s) AND due_at <= %s AND state IN ('planned', 'retry_wait')
    ORDER BY due_at, key LIMIT %s FOR UPDATE
"""  # noqa: S608 - our own column names
_HAS_DUE = """
    SELECT EXISTS (SELECT FROM messages WHERE lane = ANY(%s) AND due_at <= %s AND state IN ('planned', 'retry_wait'))
"""
_BEING_SENT = f"SELECT {COLUMNS} FROM messages WHERE lane = ANY(%s) AND state = 'sending' FOR UPDATE"  # noqa: S608 - ours
_READ = f"SELECT {COLUMNS} FROM messages WHERE key = ANY(%s) ORDER BY key FOR UPDATE"  # noqa: S608 - ours
_KNOWN = "SELECT customer_id FROM customers WHERE customer_id = ANY(%s)"
# A record that is being rewritten right now may hold a withdrawal: whose is skipped here waits for the next round,
# and whoever is locked here cannot be changed before what we decide about them is committed.
_CONTACTS = """
    SELECT customer_id, version, record, redirect_to FROM customers WHERE customer_id = ANY(%s) ORDER BY customer_id
    FOR SHARE SKIP LOCKED
"""
_PUT_OFF = "UPDATE messages SET due_at = %s WHERE key = ANY(%s)"


class PostgresLedger:
    """Messages of the schema `engagement`; every write checks that the row is at the revision that was read."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def has_due(self, lanes: Sequence[int], now: datetime) -> bool:
        """Look whether something waits to be sent on these lanes."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_HAS_DUE, (int4s(lanes), now))
            row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def take(self, connection: AsyncConnection, lanes: Sequence[int], now: datetime, limit: int) -> Waiting:
        """Lock the oldest waiting messages of these lanes that are due."""
        cursor = await connection.execute(_TAKE, (int4s(sorted(lanes)), now, limit))
        entries = [entry_of(row) for row in await cursor.fetchall()]
        if not entries:
            return Waiting((), {}, {})
        customers = {entry.origin.customer_id for entry in entries}
        contacts, busy = await _lock_contacts(connection, customers)
        # Whose an id is changes only under the lock of its row: hence after that.
        memberships = await postgres_memberships.of_identities(connection, customers)
        others = {owner_of(customer_id, memberships) for customer_id in customers} - customers
        if others:
            found, also_busy = await _lock_contacts(connection, others)
            contacts |= found
            busy |= also_busy
        free = [
            entry
            for entry in entries
            if busy.isdisjoint({entry.origin.customer_id, owner_of(entry.origin.customer_id, memberships)})
        ]
        return Waiting(free, contacts, memberships)

    async def put_off(self, connection: AsyncConnection, keys: Sequence[str], until: datetime) -> None:
        """Let messages that were taken wait; nothing is announced of it."""
        await connection.execute(_PUT_OFF, (until, texts(keys)))

    async def being_sent(self, connection: AsyncConnection, lanes: Sequence[int]) -> list[Entry]:
        """Lock all messages of these lanes that are being sent."""
        cursor = await connection.execute(_BEING_SENT, (int4s(sorted(lanes)),))
        return [entry_of(row) for row in await cursor.fetchall()]

    async def read(self, connection: AsyncConnection, keys: Sequence[str]) -> list[Entry]:
        """Lock messages by key."""
        cursor = await connection.execute(_READ, (texts(sorted(keys)),))
        return [entry_of(row) for row in await cursor.fetchall()]

    async def write(self, connection: AsyncConnection, entries: Sequence[Entry]) -> list[Announcement]:
        """Write the next revision of messages, keep what is to be announced of them, and return that.

        Raises:
            StaleStateError: a message is no longer at the revision that was read.
        """
        cursor = await connection.execute(
            _UPDATE,
            (
                texts([entry.key for entry in entries]),
                texts([entry.state.value for entry in entries]),
                texts([entry.rule for entry in entries]),
                texts([entry.detail for entry in entries]),
                int4s([entry.attempt for entry in entries]),
                int4s([entry.revision for entry in entries]),
                timestamps([entry.changed_at for entry in entries]),
                timestamps([entry.due_at for entry in entries]),
                texts([entry.provider_id for entry in entries]),
                texts([entry.reply for entry in entries]),
            ),
        )
        if cursor.rowcount != len(entries):
            raise StaleStateError(f"{len(entries) - cursor.rowcount} of {len(entries)} messages have moved")
        announced = [one for one in map(announce, entries) if one is not None]
        await keep(connection, announced)
        return announced


async def _lock_contacts(connection: AsyncConnection, ids: set[str]) -> tuple[dict[str, Contact], set[str]]:
    """Lock and read what stands under ids; name those, too, that somebody else holds."""
    array = texts(sorted(ids))
    cursor = await connection.execute(_KNOWN, (array,))
    known = {customer_id for (customer_id,) in await cursor.fetchall()}
    cursor = await connection.execute(_CONTACTS, (array,))
    contacts = {row[0]: contact_of(*row) for row in await cursor.fetchall()}
    return contacts, known - contacts.keys()


async def insert(connection: AsyncConnection, entries: Sequence[Entry]) -> None:
    """Write new messages.

    Raises:
        StaleStateError: one of them is there already.
    """
    if not entries:
        return
    origins = [entry.origin for entry in entries]
    cursor = await connection.execute(
        _INSERT,
        (
            texts([entry.key for entry in entries]),
            int4s([origin.lane for origin in origins]),
            texts([origin.campaign for origin in origins]),
            texts([origin.step for origin in origins]),
            texts([origin.channel for origin in origins]),
            texts([origin.customer_id for origin in origins]),
            texts([origin.occurrence for origin in origins]),
            texts([origin.address_hash for origin in origins]),
            texts([None if origin.caused_at is None else origin.caused_at.isoformat() for origin in origins]),
            texts([entry.state.value for entry in entries]),
            texts([entry.rule for entry in entries]),
            texts([entry.detail for entry in entries]),
            int4s([entry.attempt for entry in entries]),
            int4s([entry.revision for entry in entries]),
            timestamps([entry.planned_at for entry in entries]),
            timestamps([entry.changed_at for entry in entries]),
            timestamps([entry.due_at for entry in entries]),
        ),
    )
    if cursor.rowcount != len(entries):
        raise StaleStateError(f"{len(entries) - cursor.rowcount} of {len(entries)} messages were there already")


def entry_of(row: Sequence[Any]) -> Entry:
    """Read a row of `COLUMNS`."""
    return Entry(
        key=row[0],
        origin=Origin(
            lane=row[1],
            campaign=row[2],
            step=row[3],
            channel=row[4],
            customer_id=row[5],
            occurrence=row[6],
            address_hash=row[7],
            caused_at=row[8],
        ),
        state=MessageState(row[9]),
        rule=row[10],
        detail=row[11],
        attempt=row[12],
        revision=row[13],
        planned_at=row[14],
        changed_at=row[15],
        due_at=row[16],
        provider_id=row[17],
        reply=row[18],
    )
