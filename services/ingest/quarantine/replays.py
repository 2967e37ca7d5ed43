"""What is known of each replay: who asked for it, how far it came, and what ingest said to what it sent."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.rows import class_row

from services.ingest.quarantine.selecting import Extent, Named, OfCause, Scope

_LOCK_KEY = 0x7261_7070_6F72_7401
# The server may need a moment to notice that whoever had the turn was killed.
_PATIENCE: LiteralString = "SET LOCAL lock_timeout = '2s'"
_ONE_AT_A_TIME: LiteralString = "SELECT pg_advisory_lock(%s)"
_LET_GO: LiteralString = "SELECT pg_advisory_unlock(%s)"
_ABANDONED: LiteralString = "UPDATE replays SET state = 'stopped', ended_at = clock_timestamp() WHERE state = 'running'"
_ADD: LiteralString = "INSERT INTO replays (requested_by, cause, entries, total) VALUES (%s, %s, %s, %s) RETURNING id"
_ADVANCE: LiteralString = "UPDATE replays SET sent = sent + %s, still_bad = still_bad + %s WHERE id = %s"
_END: LiteralString = "UPDATE replays SET state = %s, ended_at = clock_timestamp() WHERE id = %s"
_PROGRESS: LiteralString = """
    SELECT r.id, r.requested_by, r.requested_at, r.state, r.total, r.sent, r.still_bad, r.ended_at,
        count(q.id) FILTER (WHERE q.state = 'replaying') AS waiting,
        count(q.id) FILTER (WHERE q.state = 'replayed') AS accepted,
        count(q.id) FILTER (WHERE q.state IN ('open', 'fixed')) AS refused
    FROM replays AS r LEFT JOIN quarantine AS q ON q.replay = r.id
    WHERE r.id = %s GROUP BY r.id
"""


class ReplayState(StrEnum):
    """How a replay stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay came.

    Of `total` entries `sent` were sent to ingest and `still_bad` were not, for they would be refused as they are.
    Of those sent, `waiting` were not yet read, `accepted` are events now and `refused` are open again.
    """

    id: int
    requested_by: str
    requested_at: datetime
    state: str
    total: int
    sent: int
    still_bad: int
    ended_at: datetime | None
    waiting: int
    accepted: int
    refused: int


def take_turn(connection: Connection) -> bool:
    """Take the right to replay for this connection, or return false: somebody else replays.

    The connection must not be in a transaction. What a killed replay left as running is marked stopped, for the right
    ends with its connection.
    """
    try:
        with connection.transaction():
            connection.execute(_PATIENCE)
            connection.execute(_ONE_AT_A_TIME, (_LOCK_KEY,))
            connection.execute(_ABANDONED)
    except LockNotAvailable:
        return False
    return True


def give_turn_back(connection: Connection) -> None:
    """Let somebody else replay."""
    with connection.transaction():
        connection.execute(_LET_GO, (_LOCK_KEY,))


def add(connection: Connection, scope: Scope, meant: Extent, actor: str) -> int:
    """Write down that a replay begins; returns its number."""
    cause = scope.cause if isinstance(scope, OfCause) else None
    entries = list(scope.entries) if isinstance(scope, Named) else None
    with connection.transaction():
        row = connection.execute(_ADD, (actor, cause, entries, meant.entries)).fetchone()
    return 0 if row is None else int(row[0])


def advance(connection: Connection, replay: int, *, sent: int = 0, still_bad: int = 0) -> None:
    """Count what a page amounted to, in the caller's transaction."""
    connection.execute(_ADVANCE, (sent, still_bad, replay))


def end(connection: Connection, replay: int, state: ReplayState) -> None:
    """Write down how a replay ended."""
    with connection.transaction():
        connection.execute(_END, (state.value, replay))


def progress(connection: Connection, replay: int) -> Progress | None:
    """Tell how far a replay came; nothing if there is none of that number."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(_PROGRESS, (replay,)).fetchone()
