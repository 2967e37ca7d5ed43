"""Customers and parked triggers in PostgreSQL, read and written set-wise."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from services.engagement.adapters import postgres_memberships
from services.engagement.adapters.postgres_announcements import keep
from services.engagement.adapters.postgres_messages import insert
from services.engagement.domain.contact import Contact, contact_of
from services.engagement.domain.following import Membership, believed, owner_of
from services.engagement.domain.planning import Firing, Occasion
from services.engagement.ports import CustomerRow, Known, Rows, Touched
from shared.contracts.envelope import Order
from shared.runtime.arrays import byteas, int4s, int8s, texts, timestamps
from shared.runtime.errors import StaleStateError

_VERSIONS = "SELECT customer_id, incarnation, version FROM customers WHERE customer_id = ANY(%s)"
_RECORDS = "SELECT customer_id, version, record, redirect_to FROM customers WHERE customer_id = ANY(%s)"
_PARKED = """
    SELECT campaign, occurrence, customer_id, customer_version, lane, caused_at, occasion, parked_at FROM triggers
    WHERE customer_id = ANY(%s) ORDER BY parked_at, occurrence, campaign
"""
_SEEN = """
    SELECT occurrence, campaign FROM messages WHERE occurrence = ANY(%(occurrences)s)
    UNION ALL SELECT occurrence, campaign FROM triggers WHERE occurrence = ANY(%(occurrences)s)
"""
# A trigger that waits will write, or say why not: that counts as well.
_WRITTEN = """
    SELECT campaign, customer_id FROM messages WHERE customer_id = ANY(%(ids)s) AND state <> 'skipped'
    UNION SELECT campaign, customer_id FROM triggers WHERE customer_id = ANY(%(ids)s) AND occasion = 'change'
"""
_ADD_CUSTOMERS = """
    INSERT INTO customers (customer_id, incarnation, version, record, redirect_to)
    SELECT * FROM unnest(%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_MOVE_CUSTOMERS = """
    UPDATE customers c
    SET incarnation = n.incarnation, version = n.version, record = n.record, redirect_to = n.redirect_to
    FROM unnest(%s, %s, %s, %s, %s, %s, %s)
        AS n (customer_id, incarnation, version, record, redirect_to, replaced_incarnation, replaced_version)
    WHERE c.customer_id = n.customer_id AND c.incarnation = n.replaced_incarnation AND c.version = n.replaced_version
"""
_PARK = """
    INSERT INTO triggers (occurrence, campaign, customer_id, customer_version, lane, caused_at, parked_at, occasion)
    SELECT occurrence, campaign, customer_id, customer_version, lane, caused_at::timestamptz, parked_at, occasion
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s)
        AS n (occurrence, campaign, customer_id, customer_version, lane, caused_at, parked_at, occasion)
"""
_RELEASE = """
    DELETE FROM triggers t USING unnest(%s, %s) AS n (occurrence, campaign)
    WHERE t.occurrence = n.occurrence AND t.campaign = n.campaign
"""


class PostgresBook:
    """What the handler reads and writes in the schema `engagement`."""

    async def load(self, connection: AsyncConnection, touched: Touched) -> Known:
        """Read where customers stand, who those are whose triggers fired or wait, and what was decided before."""
        versions: dict[str, Order] = {}
        if touched.updated:
            cursor = await connection.execute(_VERSIONS, (texts(touched.updated),))
            versions = {name: Order(incarnation, version) for name, incarnation, version in await cursor.fetchall()}
        parked = await _parked(connection, [*touched.updated, *touched.woken])
        waiting = {*touched.fired, *(firing.customer_id for firing in parked)}
        memberships: dict[str, Membership] = {}
        if waiting or touched.told:
            memberships = await postgres_memberships.of_identities(connection, waiting | touched.told.keys())
        contacts: dict[str, Contact] = {}
        written: frozenset[tuple[str, str]] = frozenset()
        if waiting:
            now = believed(memberships, touched.told.items())
            owners = {owner_of(one, now) for one in waiting}
            cursor = await connection.execute(_RECORDS, (texts(sorted(waiting | owners)),))
            contacts = {row[0]: contact_of(*row) for row in await cursor.fetchall()}
            merged = {one for one, occasion in touched.fired.items() if occasion is Occasion.MERGE}
            merged |= {firing.customer_id for firing in parked if firing.occasion is Occasion.MERGE}
            if merged:
                owners = {owner_of(one, now) for one in merged}
                memberships |= await postgres_memberships.of_customers(connection, owners)
                ids = {one for one, told in (now | memberships).items() if told.customer_id in owners}
                cursor = await connection.execute(_WRITTEN, {"ids": texts(sorted(ids | owners | merged))})
                written = frozenset(await cursor.fetchall())
        seen: frozenset[tuple[str, str]] = frozenset()
        if touched.occurrences:
            cursor = await connection.execute(_SEEN, {"occurrences": texts(touched.occurrences)})
            seen = frozenset(await cursor.fetchall())
        return Known(versions, contacts, parked, seen, memberships, written)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write customers, triggers, messages and what is announced of them.

        Raises:
            StaleStateError: a customer or message moved since it was loaded.
        """
        if rows.memberships:
            touched = {row.customer_id for row in rows.customers}
            await postgres_memberships.lock(connection, touched | rows.memberships.keys())
            await postgres_memberships.keep(connection, rows.memberships)
        # In the order of their ids, as above: two workers never wait for each other in a circle.
        customers = sorted(rows.customers, key=lambda row: row.customer_id)
        await _add(connection, [row for row in customers if row.replaces is None])
        await _move(connection, [row for row in customers if row.replaces is not None])
        await _park(connection, rows)
        if rows.released:
            await connection.execute(
                _RELEASE,
                (texts([one.occurrence for one in rows.released]), texts([one.campaign for one in rows.released])),
            )
        await insert(connection, rows.entries)
        await keep(connection, rows.announcements)


async def _parked(connection: AsyncConnection, customers: Sequence[str]) -> list[Firing]:
    if not customers:
        return []
    cursor = await connection.execute(_PARKED, (texts(customers),))
    return [
        Firing(
            campaign=campaign,
            occurrence=occurrence,
            customer_id=customer_id,
            customer_version=version,
            lane=lane,
            caused_at=caused_at,
            occasion=Occasion(occasion),
            parked_at=parked_at,
        )
        for campaign, occurrence, customer_id, version, lane, caused_at, occasion, parked_at in await cursor.fetchall()
    ]


async def _add(connection: AsyncConnection, customers: Sequence[CustomerRow]) -> None:
    if customers:
        cursor = await connection.execute(_ADD_CUSTOMERS, _columns(customers))
        _expect(cursor.rowcount, len(customers))


async def _move(connection: AsyncConnection, customers: Sequence[CustomerRow]) -> None:
    if not customers:
        return
    replaced = [row.replaces for row in customers if row.replaces is not None]
    before = (int4s([order.incarnation for order in replaced]), int8s([order.number for order in replaced]))
    cursor = await connection.execute(_MOVE_CUSTOMERS, (*_columns(customers), *before))
    _expect(cursor.rowcount, len(customers))


async def _park(connection: AsyncConnection, rows: Rows) -> None:
    parked = rows.parked
    if not parked:
        return
    await connection.execute(
        _PARK,
        (
            texts([one.occurrence for one in parked]),
            texts([one.campaign for one in parked]),
            texts([one.customer_id for one in parked]),
            int8s([one.customer_version for one in parked]),
            int4s([one.lane for one in parked]),
            texts([None if one.caused_at is None else one.caused_at.isoformat() for one in parked]),
            timestamps([one.parked_at or rows.at for one in parked]),
            texts([one.occasion.value for one in parked]),
        ),
    )


def _columns(customers: Sequence[CustomerRow]) -> tuple[object, ...]:
    return (
        texts([row.customer_id for row in customers]),
        int4s([row.order.incarnation for row in customers]),
        int8s([row.order.number for row in customers]),
        byteas([row.record for row in customers]),
        texts([row.redirect_to for row in customers]),
    )


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise StaleStateError(f"{wanted - found} of {wanted} customers have moved")
