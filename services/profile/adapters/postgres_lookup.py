"""Customers as a person asks for them: by id or by any identifier they were seen with."""

import re

import msgspec
from psycopg import Connection

from services.profile.adapters.postgres_outlet import ROW, activity_of
from services.profile.domain.state import State, load
from shared.contracts.interactions import Activity

_ID = re.compile(r"[0-9a-f]{32}")

# Whoever did nothing under any of its identities is nobody's customer.
_CUSTOMERS = """
    SELECT DISTINCT uuid_send(coalesce(i.root, i.id)), coalesce(c.version, i.version), coalesce(c.joined, i.doc)
    FROM identities i LEFT JOIN customers c ON c.root = i.root
    WHERE (c.summary IS NOT NULL OR i.doc IS NOT NULL) AND
"""
_BY_ID = _CUSTOMERS + "i.id = %s::uuid"
# Reads all identities, for a person, not a program.
_BY_VALUE = _CUSTOMERS + "i.value = %(value)s AND i.kind = %(kind)s"
_TIMELINE = f"SELECT {ROW} FROM timeline WHERE customer_id = %s::uuid ORDER BY customer_version DESC LIMIT %s"  # noqa: S608 - our own words only


class Customer(msgspec.Struct, frozen=True):
    """A customer as the table has it."""

    customer_id: str
    version: int
    state: State


def find(connection: Connection, wanted: str) -> list[Customer]:
    """Find a customer by any identity of it: by id (32 hexadecimal digits) or by `kind:value`."""
    kind, colon, value = wanted.partition(":")
    with connection.cursor(binary=True) as cursor:
        if not colon:
            if _ID.fullmatch(wanted.lower()) is None:
                return []
            return [_customer(*row) for row in cursor.execute(_BY_ID, (wanted,)).fetchall()]
        if "\0" in wanted:
            return []
        cursor.execute(_BY_VALUE, {"value": value, "kind": kind})
        return [_customer(*row) for row in cursor.fetchall()]


def timeline(connection: Connection, customer_id: str, last: int) -> list[Activity]:
    """Read a customer's latest activities, in the order they were applied.

    Reads all months: an index on the customer would cost each event 3 µs and 300 bytes of WAL.
    """
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_TIMELINE, (customer_id, last)).fetchall()
    return [activity_of(row) for row in reversed(rows)]


def _customer(key: bytes, version: int, document: bytes) -> Customer:
    return Customer(key.hex(), version, load(document))
