"""Whether an API can do its work: its pool gives a connection on which PostgreSQL answers."""

from typing import Any

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

from shared.runtime.health import Check, Failed, Passed

LOOK_SECONDS = 2.0


def database_answers(pool: ConnectionPool[Connection[Any]], seconds: float = LOOK_SECONDS) -> Check:
    """Ask PostgreSQL for nothing over a connection of the pool; wait so long for one, and call it in a thread."""
    try:
        with pool.connection(timeout=seconds) as connection:
            connection.execute("SELECT 1")
    except (psycopg.Error, PoolTimeout):
        return Failed("database", "PostgreSQL does not answer")
    return Passed("database")
