"""Discarding: nobody will mend these events; they stay where they are and are no longer shown as open."""

from typing import LiteralString

from psycopg import Connection

from services.ingest.adapters.postgres_quarantine import UNSETTLED
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.selecting import MENDABLE, OfCause, Scope, extent, numbers

LONGEST_REASON = 500

_DISCARD: LiteralString = f"""
    UPDATE quarantine SET state = 'discarded', discard_reason = %s, settled_at = clock_timestamp()
    WHERE id = ANY(%s) AND {UNSETTLED}
"""  # noqa: S608 - ours


def discard(connection: Connection, scope: Scope, reason: str, actor: str) -> int:
    """Discard what is open or mended; what is under way to ingest is not. Returns how many that were.

    A transaction a page: one that is stopped has discarded some, and goes on when it is asked again.
    """
    subject = scope.cause if isinstance(scope, OfCause) else "entries"
    meant = extent(connection, scope, MENDABLE)
    after = discarded = 0
    while True:
        with connection.transaction():
            entries = numbers(connection, scope, MENDABLE, after, meant.upto)
            if not entries:
                return discarded
            connection.execute(_DISCARD, (reason, entries))
            note(connection, actor, Action.DISCARD, subject, entries, {"reason": reason})
        after = entries[-1]
        discarded += len(entries)
