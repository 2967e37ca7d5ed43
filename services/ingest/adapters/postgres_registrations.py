"""Changing what is registered: sources added, set, paused and resumed, keys made and revoked; a transaction each."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from services.ingest.domain import keys
from services.ingest.domain.keys import NewKey, StoredKey
from services.ingest.domain.registration import Rotated, TooManyKeys, rotation
from services.ingest.domain.sources import Source

LIST_COLUMNS = (
    *("name", "kind", "strictness", "rate", "burst", "region", "zone", "paused_at", "paused_reason", "created_at"),
    *("active_keys", "last_used_at"),
)
_ACTIVE = "k.revoked_at IS NULL AND (k.ends_at IS NULL OR k.ends_at > clock_timestamp())"
_LIST = f"""
    SELECT s.name, kind, strictness, rate, burst, region, zone, paused_at, paused_reason, s.created_at,
        count(k.id) FILTER (WHERE {_ACTIVE}), max(k.last_used_at)
    FROM sources AS s LEFT JOIN source_keys AS k ON k.source = s.name
    WHERE %(name)s::text IS NULL OR s.name = %(name)s
    GROUP BY s.name ORDER BY s.name
"""  # noqa: S608 - made of the text above
KEY_COLUMNS = ("id", "active", "created_at", "ends_at", "revoked_at", "last_used_at")
_KEYS = f"""
    SELECT id, {_ACTIVE}, created_at, ends_at, revoked_at, last_used_at FROM source_keys AS k
    WHERE source = %s ORDER BY created_at DESC, id
"""  # noqa: S608 - as above
_ADD = """
    INSERT INTO sources (name, kind, strictness, region, zone, rate, burst) VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT ON CONSTRAINT sources_pkey DO NOTHING
"""
_ADD_KEY = "INSERT INTO source_keys (id, source, hash) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_LOCK = "SELECT paused_at, paused_reason FROM sources WHERE name = %s FOR UPDATE"
_ACTIVE_KEYS = f"SELECT id, source, hash, ends_at FROM source_keys AS k WHERE source = %s AND {_ACTIVE} ORDER BY id"  # noqa: S608 - as above
_END_KEYS = "UPDATE source_keys SET ends_at = %s WHERE id = ANY(%s)"
_REVOKE = "UPDATE source_keys SET revoked_at = clock_timestamp() WHERE id = %s AND revoked_at IS NULL"
_KEY = "SELECT source, revoked_at FROM source_keys WHERE id = %s FOR UPDATE"
_PAUSE = "UPDATE sources SET paused_at = clock_timestamp(), paused_reason = 'operator' WHERE name = %s"
_FORGET_COUNTS = "DELETE FROM source_counts WHERE source = %s"
_RESUME = "UPDATE sources SET paused_at = NULL, paused_reason = NULL WHERE name = %s"
_HELD = """
    SELECT cause, count(*) FROM quarantine WHERE source = %s AND reason = 'source_paused' AND state IN ('open', 'fixed')
    GROUP BY cause ORDER BY cause
"""


def listed(connection: Connection, name: str | None = None) -> list[tuple[Any, ...]]:
    """Return every source, or one, with how many keys are good and when one was last used."""
    return connection.execute(_LIST, {"name": name}).fetchall()


def keys_of(connection: Connection, name: str) -> list[tuple[Any, ...]]:
    """Return the keys of a source, those that ended or were revoked too, newest first."""
    return connection.execute(_KEYS, (name,)).fetchall()


def names(connection: Connection) -> list[str]:
    """Return the names of all sources."""
    return [name for (name,) in connection.execute("SELECT name FROM sources")]


def key_ids(connection: Connection) -> list[str]:
    """Return the ids of all keys that were not revoked."""
    return [key_id for (key_id,) in connection.execute("SELECT id FROM source_keys WHERE revoked_at IS NULL")]


def add(connection: Connection, source: Source, random: Callable[[int], bytes]) -> NewKey | None:
    """Add a source with its first key; nothing happens, and nothing is returned, when its name is taken."""
    parts = (source.name, source.kind, source.strictness.value, source.region, source.zone, source.rate, source.burst)
    if not connection.execute(_ADD, parts).rowcount:
        return None
    return _new_key(connection, source.name, random)


def change(connection: Connection, name: str, changes: Mapping[str, Any]) -> bool:
    """Set columns of a source; returns whether there is one of that name."""
    setting = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in changes
    )
    statement = sql.SQL("UPDATE sources SET {} WHERE name = %(source_name)s").format(setting)
    return connection.execute(statement, {**changes, "source_name": name}).rowcount == 1


def rotate(
    connection: Connection, name: str, ends_at: datetime, random: Callable[[int], bytes]
) -> tuple[NewKey, Rotated] | TooManyKeys | None:
    """Make a new key for a source and let its others end; nothing is returned when there is no such source."""
    if connection.execute(_LOCK, (name,)).fetchone() is None:
        return None
    active = [
        StoredKey(key_id, source, bytes(hashed), ends)
        for key_id, source, hashed, ends in connection.execute(_ACTIVE_KEYS, (name,))
    ]
    decided = rotation(active, ends_at)
    if isinstance(decided, TooManyKeys):
        return decided
    connection.execute(_END_KEYS, (decided.ends_at, list(decided.ending)))
    return _new_key(connection, name, random), decided


def revoke(connection: Connection, key_id: str) -> tuple[str, datetime | None, Sequence[str]] | None:
    """Revoke a key; returns its source, when it had been revoked before (nothing if now), and which keys are left."""
    row = connection.execute(_KEY, (key_id,)).fetchone()
    if row is None:
        return None
    source, revoked_at = row
    connection.execute(_REVOKE, (key_id,))
    return source, revoked_at, [left for left, *_ in connection.execute(_ACTIVE_KEYS, (source,))]


def pause(connection: Connection, name: str) -> tuple[datetime | None, str | None] | None:
    """Pause a source; returns since when and why it was paused before, or nothing when there is no such source."""
    before = connection.execute(_LOCK, (name,)).fetchone()
    if before is not None and before[0] is None:
        connection.execute(_PAUSE, (name,))
    return before


def resume(connection: Connection, name: str) -> tuple[datetime | None, str | None] | None:
    """Resume a source, its fuse begins anew; returns what `pause` does."""
    # Counts first: workers lock them first too, and nobody waits in a circle.
    connection.execute(_FORGET_COUNTS, (name,))
    before = connection.execute(_LOCK, (name,)).fetchone()
    connection.execute(_RESUME, (name,))
    return before


def held(connection: Connection, name: str) -> dict[str, int]:
    """Count, by group of the quarantine, the events that wait there because their source is or was paused."""
    return dict(connection.execute(_HELD, (name,)).fetchall())


def _new_key(connection: Connection, source: str, random: Callable[[int], bytes]) -> NewKey:
    while True:
        key = keys.make(random(keys.RANDOM_BYTES))
        if connection.execute(_ADD_KEY, (key.id, source, key.hash)).rowcount:
            return key
