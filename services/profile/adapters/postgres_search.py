"""Finding customers by what people know of them: what begins as was asked first, then what is similar."""

from collections.abc import Sequence

import msgspec
from psycopg import Connection

from services.profile.adapters import postgres_lookup
from services.profile.adapters.postgres_lookup import Customer
from services.profile.cursors import Alike, Spelt
from services.profile.domain import finding

MOST_ALIKE = 200
"""Hits that are only similar."""
LEAST_LETTERS = 3
"""Of fewer, nothing is similar to anything."""

_LAST_LETTER = "\U0010ffff"
# Of a customer with several hits the first counts, so that it is on one page and on no other.
_SPELT = """
    SELECT t.term, uuid_send(t.identity_id), uuid_send(coalesce(i.root, i.id))
    FROM search_terms t JOIN identities i ON i.id = t.identity_id
    WHERE t.term >= %(low)s AND t.term < %(high)s AND (t.term, t.identity_id) > (%(term)s, %(identity)s::uuid)
        AND NOT EXISTS (
            SELECT FROM search_terms o
            WHERE o.identity_id = ANY(ARRAY(
                    SELECT m.id FROM identities m WHERE m.root = i.root UNION ALL SELECT coalesce(i.root, i.id)))
                AND o.term >= %(low)s AND o.term < %(high)s AND (o.term, o.identity_id) < (t.term, t.identity_id))
    ORDER BY t.term, t.identity_id LIMIT %(most)s
"""
_ALIKE = """
    SELECT DISTINCT ON (coalesce(i.root, i.id)) s.term, uuid_send(coalesce(i.root, i.id)), s.likeness
    FROM similar_terms(%(wanted)s, %(most)s) s JOIN identities i ON i.id = s.identity_id
    WHERE NOT EXISTS (
        SELECT FROM search_terms o
        WHERE o.identity_id = ANY(ARRAY(
                SELECT m.id FROM identities m WHERE m.root = i.root UNION ALL SELECT coalesce(i.root, i.id)))
            AND o.term >= %(wanted)s AND o.term < %(high)s)
    ORDER BY coalesce(i.root, i.id), s.likeness DESC, s.term
"""
_WAITING = "SELECT count(*) FROM (SELECT FROM search_due LIMIT %s) AS due"


class Hit(msgspec.Struct, frozen=True):
    """A customer who was found, and by which term."""

    customer: Customer
    term: str


class Hits(msgspec.Struct, frozen=True):
    """Customers, best first, and where the next page begins, if there is one."""

    hits: Sequence[Hit]
    next: Spelt | Alike | None


def search(connection: Connection, text: str, most: int, after: Spelt | Alike | None = None) -> Hits:
    """Find customers of whom a term begins as `text` does, in the order of terms; then, on further pages, similar ones.

    Each customer is found once, under its present id, whatever it is found by. What nobody can be found by finds
    nobody.
    """
    wanted = finding.wanted(text)
    if not wanted:
        return Hits((), None)
    if not isinstance(after, Alike):
        rows = _spelt(connection, wanted, most + 1, after)
        found = _hits(connection, [(term, customer) for term, _, customer in rows[:most]])
        if len(rows) > most:
            return Hits(found, Spelt(rows[most - 1][0], rows[most - 1][1]))
        if len(wanted) < LEAST_LETTERS:
            return Hits(found, None)
        if rows:
            # What is similar costs a hundred times as much, and is seldom wanted beside what begins so.
            return Hits(found, Alike(0))
    seen = after.seen if isinstance(after, Alike) else 0
    alike = _alike(connection, wanted)[seen:]
    return Hits(_hits(connection, alike[:most]), Alike(seen + most) if len(alike) > most else None)


def waiting(connection: Connection, most: int) -> int:
    """Tell how many changes cannot be found by yet; `most` if there are more."""
    row = connection.execute(_WAITING, (most,)).fetchone()
    return 0 if row is None else int(row[0])


def _spelt(connection: Connection, wanted: str, most: int, after: Spelt | None) -> list[tuple[str, bytes, bytes]]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            _SPELT,
            {
                "low": wanted,
                "high": wanted + _LAST_LETTER,
                "term": "" if after is None else after.term,
                "identity": "0" * 32 if after is None else after.identity.hex(),
                "most": most,
            },
        )
        return cursor.fetchall()


def _alike(connection: Connection, wanted: str) -> list[tuple[str, bytes]]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_ALIKE, {"wanted": wanted, "high": wanted + _LAST_LETTER, "most": MOST_ALIKE})
        rows = sorted(cursor.fetchall(), key=lambda row: (-row[2], row[1]))
    return [(term, customer) for term, customer, _ in rows]


def _hits(connection: Connection, found: Sequence[tuple[str, bytes]]) -> list[Hit]:
    customers = postgres_lookup.load_all(connection, [key for _, key in found])
    return [Hit(customers[key.hex()], term) for term, key in found if key.hex() in customers]
