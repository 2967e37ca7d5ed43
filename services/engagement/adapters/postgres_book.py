"""Customers and parked triggers in PostgreSQL, read and written set-wise."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from services.engagement.adapters.postgres_announcements import keep
from services.engagement.adapters.postgres_messages import insert
from services.engagement.domain.contact import contact_of
from services.engagement.domain.planning import Firing
from services.engagement.ports import CustomerRow, Known, Rows, Touched
from shared.contracts.envelope import Order
from shared.runtime.arrays import byteas, int4s, int8s, texts, timestamps
from shared.runtime.errors import StaleStateError

_VERSIONS = "SELECT customer_id, incarnation, version FROM customers WHERE customer_id = ANY(%s)"
_RECORDS = "SELECT customer_id, version, record FROM customers WHERE customer_id = ANY(%s)"
_PARKED = """
    SELECT campaign, occurrence, customer_id, customer_version, lane, caused_at FROM triggers
    WHERE customer_id = ANY(%s) ORDER BY parked_at, occurrence, campaign
"""
_SEEN = """
    SELECT occurrence, campaign FROM messages WHERE occurrence = ANY(%(occurrences)s)
    UNION ALL SELECT occurrence, campaign FROM triggers WHERE occurrence = ANY(%(occurrences)s)
"""
_ADD_CUSTOMERS = """
    INSERT INTO customers (customer_id, incarnation, version, record) SELECT * FROM unnest(%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_MOVE_CUSTOMERS = """
    UPDATE customers c SET incarnation = n.incarnation, version = n.version, record = n.record
    FROM unnest(%s, %s, %s, %s, %s, %s)
        AS n (customer_id, incarnation, version, record, replaced_incarnation, replaced_version)
    WHERE c.customer_id = n.customer_id AND c.incarnation = n.replaced_incarnation AND c.version = n.replaced_version
"""
_PARK = """
    INSERT INTO triggers (occurrence, campaign, customer_id, customer_version, lane, caused_at, parked_at)
    SELECT occurrence, campaign, customer_id, customer_version, lane, caused_at::timestamptz, parked_at
    FROM unnest(%s, %s, %s, %s, %s, %s, %s)
        AS n (occurrence, campaign, customer_id, customer_version, lane, caused_at, parked_at)
"""
_RELEASE = """
    DELETE FROM triggers t USING unnest(%s, %s) AS n (occurrence, campaign)
    WHERE t.occurrence = n.occurrence AND t.campaign = n.campaign
"""


class PostgresBook:
    """What the handler reads and writes in the schema `engagement`."""

    async def load(self, connection: AsyncConnection, touched: Touched) -> Known:
        """Read where customers stand, those whose triggers fired, parked triggers, and occurrences seen before."""
        versions: dict[str, Order] = {}
        parked: list[Firing] = []
        if touched.updated:
            ids = texts(touched.updated)
            cursor = await connection.execute(_VERSIONS, (ids,))
            versions = {name: Order(incarnation, version) for name, incarnation, version in await cursor.fetchall()}
            cursor = await connection.execute(_PARKED, (ids,))
            parked = [
                Firing(
                    campaign=campaign,
                    occurrence=occurrence,
                    customer_id=customer_id,
                    customer_version=version,
                    lane=lane,
                    caused_at=caused_at,
                )
                for campaign, occurrence, customer_id, version, lane, caused_at in await cursor.fetchall()
            ]
        if not touched.fired:
            return Known(versions, {}, parked, frozenset())
        cursor = await connection.execute(_RECORDS, (texts(touched.fired),))
        contacts = {
            customer_id: contact_of(customer_id, version, record)
            for customer_id, version, record in await cursor.fetchall()
        }
        cursor = await connection.execute(_SEEN, {"occurrences": texts(touched.occurrences)})
        return Known(versions, contacts, parked, frozenset(await cursor.fetchall()))

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write customers, triggers, messages and what is announced of them.

        Raises:
            StaleStateError: a customer or message moved since it was loaded.
        """
        await _add(connection, [row for row in rows.customers if row.replaces is None])
        await _move(connection, [row for row in rows.customers if row.replaces is not None])
        await _park(connection, rows)
        if rows.released:
            await connection.execute(
                _RELEASE,
                (texts([one.occurrence for one in rows.released]), texts([one.campaign for one in rows.released])),
            )
        await insert(connection, rows.entries)
        await keep(connection, rows.announcements)


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
            timestamps([rows.at] * len(parked)),
        ),
    )


def _columns(customers: Sequence[CustomerRow]) -> tuple[object, ...]:
    return (
        texts([row.customer_id for row in customers]),
        int4s([row.order.incarnation for row in customers]),
        int8s([row.order.number for row in customers]),
        byteas([row.record for row in customers]),
    )


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise StaleStateError(f"{wanted - found} of {wanted} customers have moved")
