"""The least that any consumer must do with a basket: fold it per household, and upsert the batch's sums."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import psycopg

from shared.runtime.arrays import int8s, texts

TABLE = "CREATE TABLE IF NOT EXISTS {} (household text PRIMARY KEY, orders bigint, cents bigint, last_at text)"
TOTALS = "SELECT coalesce(sum(orders), 0), coalesce(sum(cents), 0) FROM {}"
UPSERT = """
    INSERT INTO {} AS t SELECT * FROM unnest(%s, %s, %s, %s)
    ON CONFLICT (household) DO UPDATE SET orders = t.orders + excluded.orders, cents = t.cents + excluded.cents,
        last_at = greatest(t.last_at, excluded.last_at)
"""


class _Properties(msgspec.Struct):
    total: Decimal


class _Event(msgspec.Struct):
    userId: str  # noqa: N815 - as on the wire
    timestamp: str
    properties: _Properties


_decode = msgspec.json.Decoder(_Event).decode


def fold(values: Iterable[bytes]) -> dict[str, tuple[int, int, str]]:
    """Sum a batch: orders, cents and last time by household."""
    sums: dict[str, tuple[int, int, str]] = {}
    for value in values:
        event = _decode(value)
        orders, cents, last = sums.get(event.userId, (0, 0, ""))
        sums[event.userId] = (orders + 1, cents + int(event.properties.total * 100), max(last, event.timestamp))
    return sums


def upsert(connection: psycopg.Connection, table: str, sums: dict[str, tuple[int, int, str]]) -> None:
    """Add a batch's sums to the table; the caller commits."""
    households = sorted(sums)
    connection.execute(
        UPSERT.format(table).encode(),
        (
            texts(households),
            int8s([sums[one][0] for one in households]),
            int8s([sums[one][1] for one in households]),
            texts([sums[one][2] for one in households]),
        ),
    )


def totals(connection: psycopg.Connection, table: str) -> tuple[int, int]:
    """Return orders and cents of all households."""
    row = connection.execute(TOTALS.format(table).encode()).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)
