"""Facts in PostgreSQL: each kind one statement a batch, which combines what is new with what is kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from psycopg import AsyncConnection

from services.metrics.domain.events import CustomerSeen, MessageReached, Order
from services.metrics.domain.facts import Facts, FirstDays, OrderSum
from shared.contracts.money import plain
from shared.runtime.arrays import int4s, int8s, texts, uuids

_VERSIONS = "SELECT customer_id, incarnation, version FROM customer_facts WHERE customer_id = ANY(%s)"
_ORDERS = """
    INSERT INTO order_facts AS f (identity_id, day, currency, orders, revenue)
    SELECT identity_id, date '1970-01-01' + day, currency, orders, revenue::numeric
    FROM unnest(%s, %s, %s, %s, %s) AS n (identity_id, day, currency, orders, revenue)
    ON CONFLICT (identity_id, day, currency)
    DO UPDATE SET orders = f.orders + excluded.orders, revenue = f.revenue + excluded.revenue
"""
# The second smallest of two pairs in order: the greater of both firsts, or one of the seconds. A null never counts.
_FIRST_DAYS = """
    INSERT INTO first_orders AS f (identity_id, first_day, second_day)
    SELECT identity_id, date '1970-01-01' + first_day, date '1970-01-01' + nullif(second_day, %s)
    FROM unnest(%s, %s, %s) AS n (identity_id, first_day, second_day)
    ON CONFLICT (identity_id) DO UPDATE SET
        first_day = least(f.first_day, excluded.first_day),
        second_day = least(greatest(f.first_day, excluded.first_day), f.second_day, excluded.second_day)
    WHERE f.second_day IS NULL OR excluded.first_day < f.second_day
"""
_ACTIVITIES = """
    INSERT INTO activity_facts AS f (identity_id, month, events)
    SELECT identity_id, date '1970-01-01' + month, events FROM unnest(%s, %s, %s) AS n (identity_id, month, events)
    ON CONFLICT (month, identity_id) DO UPDATE SET events = f.events + excluded.events
"""
_CHANGES = """
    INSERT INTO segment_facts AS f (lane, segment, day, change, changes)
    SELECT lane, segment, date '1970-01-01' + day, change, changes
    FROM unnest(%s, %s, %s, %s, %s) AS n (lane, segment, day, change, changes)
    ON CONFLICT (lane, segment, day, change) DO UPDATE SET changes = f.changes + excluded.changes
"""
_MESSAGES = """
    INSERT INTO message_facts AS f (message_key, campaign, channel, state, rule, day, incarnation, sequence)
    SELECT message_key, campaign, channel, state, rule, date '1970-01-01' + day, incarnation, sequence
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s)
        AS n (message_key, campaign, channel, state, rule, day, incarnation, sequence)
    ON CONFLICT (message_key) DO UPDATE SET
        campaign = excluded.campaign, channel = excluded.channel, state = excluded.state, rule = excluded.rule,
        day = excluded.day, incarnation = excluded.incarnation, sequence = excluded.sequence
    WHERE (f.incarnation, f.sequence) < (excluded.incarnation, excluded.sequence)
"""
_CUSTOMERS = """
    INSERT INTO customer_facts AS f (customer_id, lifecycle, incarnation, version)
    SELECT customer_id, lifecycle, incarnation, version
    FROM unnest(%s, %s, %s, %s) AS n (customer_id, lifecycle, incarnation, version)
    ON CONFLICT (customer_id) DO UPDATE SET
        lifecycle = excluded.lifecycle, incarnation = excluded.incarnation, version = excluded.version
    WHERE (f.incarnation, f.version) < (excluded.incarnation, excluded.version)
"""
# Most activities of a device say what is known of it: that writes nothing, and not even locks the row.
_MEMBERSHIPS = """
    INSERT INTO memberships AS m (identity_id, customer_id, number)
    SELECT identity_id, customer_id, number FROM unnest(%s, %s, %s) AS n (identity_id, customer_id, number)
    WHERE NOT EXISTS (
        SELECT FROM memberships k
        WHERE k.identity_id = n.identity_id AND (k.number, k.customer_id) >= (n.number, n.customer_id)
    )
    ON CONFLICT (identity_id) DO UPDATE SET customer_id = excluded.customer_id, number = excluded.number
    WHERE (m.number, m.customer_id) < (excluded.number, excluded.customer_id)
"""
_NO_DAY = -(2**31)

K = TypeVar("K")
V = TypeVar("V")


class PostgresFacts:
    """The fact tables. Rows are written in the order of their keys, so that two workers never wait in a circle."""

    async def customer_versions(self, connection: AsyncConnection, customers: Sequence[bytes]) -> Mapping[bytes, Order]:
        """Tell which version of each customer was counted; unknown ones are left out."""
        cursor = await connection.execute(_VERSIONS, (uuids(customers),))
        return {customer.bytes: (incarnation, version) for customer, incarnation, version in await cursor.fetchall()}

    async def add(self, connection: AsyncConnection, facts: Facts) -> None:
        """Combine facts with what is kept."""
        if facts.orders:
            await _add_orders(connection, sorted(facts.orders.items(), key=_by_key))
        if facts.first_days:
            await _add_first_days(connection, sorted(facts.first_days.items(), key=_by_key))
        if facts.activities:
            await _add_activities(connection, sorted(facts.activities.items()))
        if facts.changes:
            await _add_changes(connection, sorted(facts.changes.items()))
        if facts.messages:
            await _add_messages(connection, [message for _, message in sorted(facts.messages.items(), key=_by_key)])
        if facts.customers:
            await _add_customers(connection, [customer for _, customer in sorted(facts.customers.items(), key=_by_key)])
        if facts.memberships:
            await _add_memberships(connection, sorted(facts.memberships.items()))


def _by_key(item: tuple[K, V]) -> K:
    return item[0]


async def _add_orders(connection: AsyncConnection, orders: Iterable[tuple[tuple[bytes, int, str], OrderSum]]) -> None:
    rows = [(*key, total) for key, total in orders]
    await connection.execute(
        _ORDERS,
        (
            uuids([identity for identity, _, _, _ in rows]),
            int4s([day for _, day, _, _ in rows]),
            texts([currency for _, _, currency, _ in rows]),
            int8s([total.orders for _, _, _, total in rows]),
            texts([plain(total.revenue) for _, _, _, total in rows]),
        ),
    )


async def _add_first_days(connection: AsyncConnection, first_days: Sequence[tuple[bytes, FirstDays]]) -> None:
    await connection.execute(
        _FIRST_DAYS,
        (
            _NO_DAY,
            uuids([identity for identity, _ in first_days]),
            int4s([days.first for _, days in first_days]),
            int4s([_NO_DAY if days.second is None else days.second for _, days in first_days]),
        ),
    )


async def _add_activities(connection: AsyncConnection, activities: Sequence[tuple[tuple[bytes, int], int]]) -> None:
    await connection.execute(
        _ACTIVITIES,
        (
            uuids([identity for (identity, _), _ in activities]),
            int4s([month for (_, month), _ in activities]),
            int8s([events for _, events in activities]),
        ),
    )


async def _add_changes(connection: AsyncConnection, changes: Iterable[tuple[tuple[int, str, int, str], int]]) -> None:
    rows = [(*key, count) for key, count in changes]
    await connection.execute(
        _CHANGES,
        (
            int4s([lane for lane, _, _, _, _ in rows]),
            texts([segment for _, segment, _, _, _ in rows]),
            int4s([day for _, _, day, _, _ in rows]),
            texts([change for _, _, _, change, _ in rows]),
            int8s([count for _, _, _, _, count in rows]),
        ),
    )


async def _add_messages(connection: AsyncConnection, messages: Sequence[MessageReached]) -> None:
    await connection.execute(
        _MESSAGES,
        (
            texts([message.message_key for message in messages]),
            texts([message.campaign for message in messages]),
            texts([message.channel for message in messages]),
            texts([message.state for message in messages]),
            texts([message.rule for message in messages]),
            int4s([message.day for message in messages]),
            int4s([message.order[0] for message in messages]),
            int8s([message.order[1] for message in messages]),
        ),
    )


async def _add_customers(connection: AsyncConnection, customers: Sequence[CustomerSeen]) -> None:
    await connection.execute(
        _CUSTOMERS,
        (
            uuids([customer.customer for customer in customers]),
            texts([customer.lifecycle for customer in customers]),
            int4s([customer.order[0] for customer in customers]),
            int8s([customer.order[1] for customer in customers]),
        ),
    )


async def _add_memberships(connection: AsyncConnection, memberships: Sequence[tuple[bytes, tuple[int, bytes]]]) -> None:
    await connection.execute(
        _MEMBERSHIPS,
        (
            uuids([identity for identity, _ in memberships]),
            uuids([customer for _, (_, customer) in memberships]),
            int4s([number for _, (number, _) in memberships]),
        ),
    )
