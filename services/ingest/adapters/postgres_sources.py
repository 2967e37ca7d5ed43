"""Sources and keys as tables: read whole, for there are few, and used keys noted set-wise."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from services.ingest.domain.keys import StoredKey
from services.ingest.domain.sources import Source, Strictness
from services.ingest.ports import Snapshot
from shared.runtime.arrays import texts, timestamps

_SOURCES = "SELECT name, kind, strictness, region, zone, rate, burst, paused_at IS NOT NULL FROM sources"
_GOOD_KEYS = """
    SELECT id, source, hash, ends_at FROM source_keys
    WHERE revoked_at IS NULL AND (ends_at IS NULL OR ends_at > clock_timestamp())
"""
# Locked in order: two processes that note the same keys at once must not wait for each other.
_NOTE_USES = """
    WITH uses AS (SELECT * FROM unnest(%s, %s) AS u (id, at)),
    locked AS (SELECT id FROM source_keys WHERE id IN (SELECT id FROM uses) ORDER BY id FOR UPDATE)
    UPDATE source_keys AS k SET last_used_at = greatest(k.last_used_at, uses.at)
    FROM uses JOIN locked USING (id) WHERE k.id = uses.id
"""
_REPEATABLE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"


class PostgresSources:
    """Reads and notes in `ingest.sources` and `ingest.source_keys`."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection]) -> None:
        self._pool = pool

    async def read(self) -> Snapshot:
        """Read everything there is, as it stands at one instant."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_REPEATABLE)
            sources = await (await connection.execute(_SOURCES)).fetchall()
            keys = await (await connection.execute(_GOOD_KEYS)).fetchall()
        return _snapshot(sources, keys)

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep when keys were last used; an earlier use than the one that is known changes nothing."""
        async with self._pool.connection() as connection:
            await connection.execute(_NOTE_USES, (texts(list(uses)), timestamps(list(uses.values()))))


def connect(database_url: str) -> Connection:
    """Connect to ingest's schema."""
    return psycopg.connect(database_url, options="-c search_path=ingest", connect_timeout=10)


def read_sources(connection: Connection) -> Snapshot:
    """Read everything there is before an event loop runs."""
    with connection.transaction():
        connection.execute(_REPEATABLE)
        return _snapshot(connection.execute(_SOURCES), connection.execute(_GOOD_KEYS))


def _snapshot(sources: Iterable[tuple[Any, ...]], keys: Iterable[tuple[Any, ...]]) -> Snapshot:
    return Snapshot(
        {name: Source(name, kind, Strictness(strictness), *rest) for name, kind, strictness, *rest in sources},
        {key_id: StoredKey(key_id, source, bytes(hashed), ends) for key_id, source, hashed, ends in keys},
    )
