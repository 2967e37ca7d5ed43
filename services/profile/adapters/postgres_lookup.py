"""Customers as a person asks for them: by id or by any identifier they were seen with."""

import re

import msgspec
from psycopg import Connection

from services.profile.adapters.postgres_outlet import ROW, activity_of
from services.profile.domain.state import State, load
from shared.contracts.interactions import Activity

_ID = re.compile(r"[0-9a-f]{32}")

_BY_ID = "SELECT uuid_send(id), version, doc FROM identities WHERE id = %s::uuid"
# An identifier that is not the strongest stands only inside documents: this reads them all, for a person, not a
# program. The exact comparison follows on what was found.
_BY_VALUE = """
    SELECT uuid_send(id), version, doc FROM identities
    WHERE value = %(value)s AND kind = %(kind)s OR position(%(bytes)s::bytea IN doc) > 0
    ORDER BY id
"""
_TIMELINE = f"SELECT {ROW} FROM timeline WHERE customer_id = %s::uuid ORDER BY customer_version DESC LIMIT %s"  # noqa: S608 - our own words only


class Customer(msgspec.Struct, frozen=True):
    """A customer as the table has it."""

    customer_id: str
    version: int
    state: State


def find(connection: Connection, wanted: str) -> list[Customer]:
    """Find customers by id (32 hexadecimal digits) or by `kind:value`; several may share an identifier."""
    kind, colon, value = wanted.partition(":")
    with connection.cursor(binary=True) as cursor:
        if not colon:
            if _ID.fullmatch(wanted.lower()) is None:
                return []
            return [_customer(*row) for row in cursor.execute(_BY_ID, (wanted,)).fetchall()]
        if "\0" in wanted:
            return []
        cursor.execute(_BY_VALUE, {"value": value, "kind": kind, "bytes": value.encode()})
        found = [_customer(*row) for row in cursor.fetchall()]
    return [
        one for one in found if any(seen.kind == kind and seen.value == value for seen in one.state.identities.values())
    ]


def timeline(connection: Connection, customer_id: str, last: int) -> list[Activity]:
    """Read a customer's latest activities, in the order they were applied.

    Reads all months: an index on the customer would cost each event 3 µs and 300 bytes of WAL.
    """
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_TIMELINE, (customer_id, last)).fetchall()
    return [activity_of(row) for row in reversed(rows)]


def _customer(key: bytes, version: int, document: bytes) -> Customer:
    return Customer(key.hex(), version, load(document))
