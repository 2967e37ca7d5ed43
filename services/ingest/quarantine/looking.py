"""Looking at the quarantine: by cause, in a list, and one entry whole."""

from dataclasses import dataclass
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from services.ingest.adapters.postgres_quarantine import UNSETTLED
from services.ingest.domain.causes import folded

_LIST_COLUMNS: LiteralString = """
    id, quarantined_at, source, event, stage, reason, path, expected, found, cause AS "group", state
"""
_SHOW_COLUMNS: LiteralString = f"""
    {_LIST_COLUMNS}, refused_at, message_id, received_at, topic, lane, record_offset, event_index, original, around,
    headers, mended, mended_headers, mended_at, replay, sent_at, settled_at, discard_reason
"""
_SUMMARY: LiteralString = f"""
    WITH causes AS (
        SELECT cause, count(*) AS events, count(*) FILTER (WHERE state = 'open') AS open,
            count(*) FILTER (WHERE state = 'fixed') AS fixed,
            count(*) FILTER (WHERE state = 'replaying') AS replaying,
            min(quarantined_at) AS first_seen, max(refused_at) AS last_seen, max(id) AS example
        FROM quarantine WHERE {UNSETTLED} GROUP BY cause
    )
    SELECT c.cause AS "group", c.events, c.open, c.fixed, c.replaying, q.source, q.event, q.stage, q.reason, q.path,
        q.expected, q.found, c.first_seen, c.last_seen, c.example
    FROM causes AS c JOIN quarantine AS q ON q.id = c.example
    ORDER BY c.events DESC, c.cause
"""  # noqa: S608 - ours
_LIST: LiteralString = f"""
    SELECT {_LIST_COLUMNS} FROM quarantine
    WHERE {{wanted}} AND id < %(before)s ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - ours
_SHOW: LiteralString = f"SELECT {_SHOW_COLUMNS} FROM quarantine WHERE id = %s"  # noqa: S608 - ours
NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to list: those that nobody has settled, or those of one state; of one cause, for one reason."""

    cause: str | None = None
    reason: str | None = None
    state: str | None = None
    before: int = NEWEST


def summary(connection: Connection) -> list[dict[str, Any]]:
    """Count what nobody has settled, by cause, the greatest first; what a cause is, its newest entry tells."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SUMMARY).fetchall()
    return [{**row, "path": folded(row["path"])} for row in rows]


def listed(connection: Connection, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first."""
    conditions: list[LiteralString] = [UNSETTLED if wanted.state is None else "state = %(state)s"]
    if wanted.cause is not None:
        conditions.append("cause = %(cause)s")
    if wanted.reason is not None:
        conditions.append("reason = %(reason)s")
    values = {
        "state": wanted.state,
        "cause": wanted.cause,
        "reason": wanted.reason,
        "before": wanted.before,
        "limit": limit,
    }
    statement = _LIST.replace("{wanted}", " AND ".join(conditions))
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def shown(connection: Connection, number: int) -> dict[str, Any] | None:
    """Return one entry whole, its bytes and headers as text; what is no text is shown as escapes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SHOW, (number,)).fetchone()
    if row is None:
        return None
    found = {name: readable(value) if isinstance(value, bytes) else value for name, value in row.items()}
    return found | {name: headers_of(row[name]) for name in ("headers", "mended_headers")}


def readable(data: bytes | None) -> str | None:
    """Decode what anybody may have sent: what is no text is shown as escapes."""
    return None if data is None else data.decode("utf-8", "backslashreplace")


def headers_of(packed: bytes | None) -> list[list[str | None]] | None:
    """Return headers as pairs of texts."""
    return None if packed is None else [[name, readable(text)] for name, text in msgspec.msgpack.decode(packed)]
