"""Connections to PostgreSQL: pinned to the service's schema, with every time-out set, never autocommitting."""

from collections.abc import Mapping

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

from shared.runtime.settings import RuntimeSettings

POOL_SIZE = 6


def new_pool(
    service: str, settings: RuntimeSettings, session: Mapping[str, str], size: int = POOL_SIZE
) -> AsyncConnectionPool[AsyncConnection[TupleRow]]:
    """Make a pool (not yet open); `session` are further PostgreSQL settings of each connection.

    A broken connection is thrown away and replaced; one that was lost under a transaction raises there.
    """
    chosen = {
        "search_path": service,
        "application_name": f"rapport-{service}",
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_seconds),
        "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
        "statement_timeout": _milliseconds(settings.statement_timeout_seconds),
        "timezone": "UTC",
        **session,
    }
    options = " ".join(f"-c {name}={value}" for name, value in chosen.items())
    return AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs={
            "options": options,
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
        },
        min_size=2,
        max_size=size,
        timeout=10,
        # The pool doubles its pauses within this time: a database that was away for long is found again soon.
        reconnect_timeout=10,
        open=False,
        name=f"rapport-{service}",
        check=AsyncConnectionPool.check_connection,
    )


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
