"""What the commands ask: sizes, members, and everything about one customer in one segment."""

from typing import Any

from psycopg import Connection

from services.segmenter.domain.customer import Customer, unpack

_SIZES = """
    SELECT d.segment, d.version, count(m.customer_id), d.source IS NULL
    FROM (SELECT DISTINCT ON (segment) segment, version, source FROM definitions ORDER BY segment, version DESC) d
    LEFT JOIN memberships m ON m.segment = d.segment AND m.inside
    GROUP BY d.segment, d.version, d.source ORDER BY d.segment
"""
_MEMBERS = """
    SELECT replace(customer_id::text, '-', ''), since, sequence, definition_version FROM memberships
    WHERE segment = %s AND inside ORDER BY since DESC, customer_id LIMIT %s
"""
_HISTORY = """
    SELECT sequence, change, effective_at, computed_at, cause, reason, definition_version, customer_version
    FROM history WHERE customer_id = %s AND segment = %s ORDER BY sequence DESC LIMIT %s
"""
_CUSTOMER = "SELECT doc FROM customers WHERE customer_id = %s"
# The number of steps ends a circle, which is there only while what breaks it is unread.
_LEADS_TO = """
    WITH RECURSIVE way (customer_id, step) AS (
        SELECT member_of, 1 FROM customers WHERE customer_id = %s AND member_of IS NOT NULL
        UNION ALL
        SELECT c.member_of, w.step + 1 FROM way w JOIN customers c USING (customer_id)
        WHERE c.member_of IS NOT NULL AND w.step < 1000
    )
    SELECT replace(customer_id::text, '-', '') FROM way ORDER BY step DESC LIMIT 1
"""

MEMBER_COLUMNS = ("customer_id", "since", "version", "definition_version")
HISTORY_COLUMNS = (
    "sequence",
    "change",
    "effective_at",
    "computed_at",
    "cause",
    "reason",
    "definition_version",
    "customer_version",
)

Row = tuple[Any, ...]


def sizes(connection: Connection) -> list[Row]:
    """List segments: name, version, customers in it now, whether its definition was removed."""
    return connection.execute(_SIZES).fetchall()


def members(connection: Connection, segment: str, limit: int) -> list[Row]:
    """List who is in a segment, latest entries first."""
    return connection.execute(_MEMBERS, (segment, limit)).fetchall()


def history(connection: Connection, segment: str, customer_id: str, limit: int) -> list[Row]:
    """List a customer's entries and exits of one segment, latest first."""
    return connection.execute(_HISTORY, (customer_id, segment, limit)).fetchall()


def customer(connection: Connection, customer_id: str) -> Customer | None:
    """Read what is known of a customer."""
    row = connection.execute(_CUSTOMER, (customer_id,)).fetchone()
    return None if row is None else unpack(row[0])


def leads_to(connection: Connection, customer_id: str) -> str | None:
    """Tell whose an id is, if it is no customer of its own."""
    row = connection.execute(_LEADS_TO, (customer_id,)).fetchone()
    return None if row is None else str(row[0])
