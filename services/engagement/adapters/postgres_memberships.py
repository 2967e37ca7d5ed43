"""Whose each identity is, in PostgreSQL: read beside customers, written only if a greater number was told."""

from collections.abc import Iterable, Mapping

from psycopg import AsyncConnection

from services.engagement.domain.following import Membership
from shared.runtime.arrays import int4s, texts

_OF_IDENTITIES = "SELECT identity_id, customer_id, number FROM memberships WHERE identity_id = ANY(%s)"
_OF_CUSTOMERS = "SELECT identity_id, customer_id, number FROM memberships WHERE customer_id = ANY(%s)"
# Whoever is about to write to one of these holds their row, and decides before us or after us, never beside us.
_LOCK = "SELECT FROM customers WHERE customer_id = ANY(%s) ORDER BY customer_id FOR NO KEY UPDATE"
_KEEP = """
    INSERT INTO memberships AS m (identity_id, customer_id, number) SELECT * FROM unnest(%s, %s, %s)
    ON CONFLICT (identity_id) DO UPDATE SET customer_id = excluded.customer_id, number = excluded.number
    WHERE (m.number, m.customer_id) < (excluded.number, excluded.customer_id)
"""


async def of_identities(connection: AsyncConnection, identities: Iterable[str]) -> dict[str, Membership]:
    """Tell whose these identities are; left out are those that never moved."""
    return await _read(connection, _OF_IDENTITIES, identities)


async def of_customers(connection: AsyncConnection, customers: Iterable[str]) -> dict[str, Membership]:
    """Tell which identities moved to these customers, or back to being them."""
    return await _read(connection, _OF_CUSTOMERS, customers)


async def lock(connection: AsyncConnection, customers: Iterable[str]) -> None:
    """Wait until nobody writes to these customers, and let nobody begin to; always in the order of their ids."""
    await connection.execute(_LOCK, (texts(sorted(customers)),))


async def keep(connection: AsyncConnection, told: Mapping[str, Membership]) -> None:
    """Write memberships that are greater than those that are kept."""
    rows = sorted(told.items(), key=lambda item: item[0])
    await connection.execute(
        _KEEP,
        (
            texts([identity_id for identity_id, _ in rows]),
            texts([membership.customer_id for _, membership in rows]),
            int4s([membership.number for _, membership in rows]),
        ),
    )


async def _read(connection: AsyncConnection, query: str, ids: Iterable[str]) -> dict[str, Membership]:
    cursor = await connection.execute(query, (texts(sorted(ids)),))
    return {
        identity_id: Membership(customer_id, number) for identity_id, customer_id, number in await cursor.fetchall()
    }
