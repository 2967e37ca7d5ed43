"""What people ask the ledger on the command line: some messages, one message with all its steps, one customer."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection

from services.engagement.domain.contact import Contact, contact_of

LISTED = ("key", "campaign", "state", "rule", "customer_id", "attempt", "planned_at", "changed_at")
SHOWN = (
    *LISTED,
    "step",
    "channel",
    "occurrence",
    "address_hash",
    "detail",
    "reply",
    "provider_id",
    "due_at",
    "caused_at",
    "lane",
)

_LIST = """
    SELECT key, campaign, state, rule, customer_id, attempt, planned_at, changed_at FROM messages
    WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(campaign)s::text IS NULL OR campaign = %(campaign)s)
    ORDER BY changed_at DESC, key LIMIT %(limit)s
"""
_SHOW = """
    SELECT key, campaign, state, rule, customer_id, attempt, planned_at, changed_at, step, channel, occurrence,
        address_hash, detail, reply, provider_id, due_at, caused_at, lane
    FROM messages WHERE key = %s
"""
# An announcement's id is the message's key, a hyphen, and the number of the step.
_STEPS = "SELECT at, type FROM announcements WHERE id >= %(key)s || '-' AND id < %(key)s || '.' ORDER BY at, id"
_CUSTOMER = """
    SELECT c.customer_id, c.version, c.record, c.redirect_to
    FROM customers c LEFT JOIN memberships m ON m.identity_id = %(id)s
    WHERE c.customer_id = coalesce(m.customer_id, %(id)s)
"""


def messages(connection: Connection, state: str | None, campaign: str | None, limit: int) -> Sequence[tuple[Any, ...]]:
    """List the messages that changed last, in the columns of `LISTED`."""
    return connection.execute(_LIST, {"state": state, "campaign": campaign, "limit": limit}).fetchall()


def message(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """Show one message by its key, with what was announced of it."""
    row = connection.execute(_SHOW, (key,)).fetchone()
    if row is None:
        return None
    steps = [{"at": at, "type": kind} for at, kind in connection.execute(_STEPS, {"key": key}).fetchall()]
    return {**dict(zip(SHOWN, row, strict=True)), "steps": steps}


def customer(connection: Connection, customer_id: str) -> Contact | None:
    """Find a customer as engagement knows them, by an id that was merged into another as well."""
    row = connection.execute(_CUSTOMER, {"id": customer_id}).fetchone()
    return None if row is None else contact_of(*row)
