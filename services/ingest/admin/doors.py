"""What the routes use: a connection for a request, and who may do what."""

from collections.abc import Iterator
from typing import Annotated, Any

import psycopg
from fastapi import Depends, Request
from psycopg import Connection
from psycopg_pool import ConnectionPool

from shared.runtime.api import allowed
from shared.runtime.api_keys import Caller, Role, at_least
from shared.runtime.settings import RuntimeSettings

POOL_SIZE = 6
WAIT_SECONDS = 5.0


def new_pool(settings: RuntimeSettings) -> ConnectionPool[Connection]:
    """Make a pool of autocommitting connections to ingest's schema, not yet open."""
    return ConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs=_how(settings),
        min_size=1,
        max_size=POOL_SIZE,
        timeout=WAIT_SECONDS,
        reconnect_timeout=10,
        open=False,
        name="rapport-ingest-admin",
        check=ConnectionPool.check_connection,
    )


def connect(settings: RuntimeSettings) -> Connection:
    """Open an autocommitting connection to ingest's schema, for what goes on longer than a request."""
    return psycopg.connect(settings.database_url.get_secret_value(), **_how(settings))


def _how(settings: RuntimeSettings) -> dict[str, Any]:
    options = {
        "search_path": "ingest",
        "application_name": "rapport-ingest-admin",
        "timezone": "UTC",
        "lock_timeout": f"{int(settings.lock_timeout_seconds * 1000)}ms",
        "idle_in_transaction_session_timeout": "60s",
    }
    said = " ".join(f"-c {name}={value}" for name, value in options.items())
    return {"autocommit": True, "connect_timeout": 5, "keepalives_idle": 10, "options": said}


def _connection(request: Request) -> Iterator[Connection]:
    pool: ConnectionPool[Connection] = request.app.state.pool
    with pool.connection() as connection:
        yield connection


Database = Annotated[Connection, Depends(_connection)]
Reader = Annotated[Caller, Depends(allowed(at_least(Role.READ)))]
Operator = Annotated[Caller, Depends(allowed(at_least(Role.OPERATE)))]
Admin = Annotated[Caller, Depends(allowed(at_least(Role.ADMIN)))]
PersonReader = Annotated[Caller, Depends(allowed(at_least(Role.OPERATE) | {Role.PRIVACY}))]
"""Who may see what an event says about a person."""
