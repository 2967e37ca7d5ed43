"""The terms that customers are found by: noted as due while events are folded, drawn beside that, in small batches."""

from collections.abc import Sequence

from psycopg import AsyncConnection, Connection

from services.profile.domain.finding import terms_of
from services.profile.domain.state import load
from shared.runtime.arrays import texts, uuids

BATCH = 500

_NOTE = "INSERT INTO search_due (identity_id) SELECT unnest(%s)"
# One drawer at a time: of two, the one who read first could write last.
_TURN = "SELECT pg_try_advisory_xact_lock(%s)"
LOCK = 0x7261_7073_6561_7263
_TAKE = """
    DELETE FROM search_due WHERE id IN (SELECT id FROM search_due ORDER BY id LIMIT %s)
    RETURNING uuid_send(identity_id)
"""
_READ = "SELECT uuid_send(id), kind, value, doc FROM identities WHERE id = ANY(%s)"
_FORGET = """
    DELETE FROM search_terms t WHERE t.identity_id = ANY(%s)
        AND NOT EXISTS (SELECT FROM unnest(%s, %s) AS n (term, identity_id)
                        WHERE n.term = t.term AND n.identity_id = t.identity_id)
"""
_WAITING = "SELECT count(*) FROM (SELECT FROM search_due LIMIT %s) AS due"
_ADD = "INSERT INTO search_terms SELECT * FROM unnest(%s, %s) ON CONFLICT DO NOTHING"


async def note(connection: AsyncConnection, identities: Sequence[bytes]) -> None:
    """Say that these identities are new, or that somebody said what they are called."""
    if identities:
        await connection.execute(_NOTE, (uuids(identities),))


async def waiting(connection: AsyncConnection, most: int) -> int:
    """Tell how many changes cannot be found by yet; `most` if there are more."""
    cursor = await connection.execute(_WAITING, (most,))
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


def draw(connection: Connection) -> int:
    """Draw the terms of the identities that waited longest, in one transaction; returns how many were taken.

    Zero may also mean that somebody else is drawing.
    """
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        turn = cursor.execute(_TURN, (LOCK,)).fetchone()
        if turn is None or not turn[0]:
            return 0
        taken = cursor.execute(_TAKE, (BATCH,)).fetchall()
        if not taken:
            return 0
        due = sorted({key for (key,) in taken})
        terms: list[str] = []
        owners: list[bytes] = []
        for key, kind, value, document in cursor.execute(_READ, (uuids(due),)).fetchall():
            found = sorted(terms_of(kind, value, None if document is None else load(document)))
            terms += found
            owners += [key] * len(found)
        columns = texts(terms), uuids(owners)
        cursor.execute(_FORGET, (uuids(due), *columns))
        cursor.execute(_ADD, columns)
    return len(taken)
