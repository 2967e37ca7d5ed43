"""The quarantine as a table: written set-wise, read newest first."""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection, Connection

from services.ingest.domain.times import instant
from services.ingest.ports import Entry
from shared.runtime.arrays import byteas, int4s, int8s, texts, timestamps

_KEEP = """
    INSERT INTO quarantine (topic, lane, record_offset, event_index, appended_at, source, message_id, stage,
        reason, path, expected, found, original, around, key, headers, received_at, quarantined_at)
    SELECT * FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT quarantine_once DO NOTHING
"""
COUNT_BY_REASON: LiteralString = "SELECT reason, count(*) FROM quarantine GROUP BY reason"
LIST_COLUMNS = ("id", "quarantined_at", "source", "stage", "reason", "path", "expected", "found")
_LIST = f"""
    SELECT {", ".join(LIST_COLUMNS)} FROM quarantine
    WHERE %(reason)s::text IS NULL OR reason = %(reason)s
    ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - the columns are the tuple above
SHOW_COLUMNS = (
    *LIST_COLUMNS,
    "message_id",
    "received_at",
    "topic",
    "lane",
    "record_offset",
    "event_index",
    "original",
    "around",
    "headers",
)
_SHOW = f"SELECT {', '.join(SHOW_COLUMNS)} FROM quarantine WHERE id = %s"  # noqa: S608 - the columns are the tuple above


class PostgresQuarantine:
    """Keeps refused events in `ingest.quarantine`."""

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Add entries; one that is there already (the batch was redone) stays as it is."""
        records = [entry.record for entry in entries]
        refused = [entry.refused for entry in entries]
        problems = [one.problem for one in refused]
        await connection.execute(
            _KEEP,
            (
                texts([record.topic for record in records]),
                int4s([record.partition for record in records]),
                int8s([record.offset for record in records]),
                int4s([entry.index for entry in entries]),
                timestamps([instant(record.timestamp) for record in records]),
                texts([one.source for one in refused]),
                texts([one.message_id for one in refused]),
                texts([problem.stage.value for problem in problems]),
                texts([problem.reason.value for problem in problems]),
                texts([problem.path for problem in problems]),
                texts([problem.expected for problem in problems]),
                texts([problem.found for problem in problems]),
                byteas([one.original for one in refused]),
                byteas([one.around for one in refused]),
                byteas([record.key for record in records]),
                byteas([msgspec.msgpack.encode(list(record.headers)) for record in records]),
                timestamps([one.received_at for one in refused]),
                timestamps([entry.at for entry in entries]),
            ),
        )


def newest(connection: Connection, reason: str | None, limit: int) -> list[tuple[Any, ...]]:
    """Return the newest entries, of one reason or of all."""
    return connection.execute(_LIST, {"reason": reason, "limit": limit}).fetchall()


def entry(connection: Connection, number: int) -> tuple[Any, ...] | None:
    """Return one entry whole."""
    return connection.execute(_SHOW, (number,)).fetchone()
