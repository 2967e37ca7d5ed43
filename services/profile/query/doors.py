"""What the routes use: a connection for a request, who may do what, and the log of who read about whom."""

from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import Depends, Request
from psycopg import Connection
from psycopg_pool import ConnectionPool

from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.query.settings import ProfileApiSettings
from shared.runtime.api import allowed
from shared.runtime.api_keys import Caller, Role, at_least
from shared.runtime.arrays import uuids

WAIT_SECONDS = 5.0

# Who reads may wait for the disk of nobody: the last half second of this log may be lost in a crash of the server.
_NOTE = """
    INSERT INTO reads (who, what, customers)
    SELECT %s, %s, %s FROM set_config('synchronous_commit', 'off', true)
"""


def new_pool(settings: ProfileApiSettings) -> ConnectionPool[Connection]:
    """Make a pool of autocommitting connections to profile's schema, not yet open."""
    # A look-up names its rows by key. On stale statistics the planner would rather read a whole table.
    session = {
        "search_path": "profile",
        "application_name": "rapport-profile-api",
        "timezone": "UTC",
        "enable_seqscan": "off",
        "jit": "off",
        "lock_timeout": f"{int(settings.lock_timeout_seconds * 1000)}ms",
        "statement_timeout": f"{int(settings.statement_timeout_seconds * 1000)}ms",
        "idle_in_transaction_session_timeout": "60s",
    }
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    return ConnectionPool(
        settings.database_url.get_secret_value(),
        kwargs={"autocommit": True, "connect_timeout": 5, "keepalives_idle": 10, "options": options},
        min_size=2,
        max_size=settings.connections,
        timeout=WAIT_SECONDS,
        reconnect_timeout=10,
        open=False,
        name="rapport-profile-api",
        check=ConnectionPool.check_connection,
    )


def note(connection: Connection, caller: Caller, what: str, customers: Sequence[str]) -> None:
    """Write down that somebody read about these customers."""
    connection.execute(_NOTE, (caller.name, what, uuids([bytes.fromhex(one) for one in customers])))


def _connection(request: Request) -> Iterator[Connection]:
    pool: ConnectionPool[Connection] = request.app.state.pool
    with pool.connection() as connection:
        yield connection


async def _pool(request: Request) -> ConnectionPool[Connection]:
    pool: ConnectionPool[Connection] = request.app.state.pool
    return pool


async def _secret(request: Request) -> bytes:
    secret: bytes = request.app.state.secret
    return secret


Database = Annotated[Connection, Depends(_connection)]
Pool = Annotated[ConnectionPool[Connection], Depends(_pool)]
"""For a route that opens the connection itself: each plain function costs a request a switch between threads."""
Secret = Annotated[bytes, Depends(_secret)]


async def _stages(request: Request) -> Stages:
    stages: Stages = getattr(request.app.state, "stages", USUAL)
    return stages


InForce = Annotated[Stages, Depends(_stages)]
"""The stages of the lifecycle that records are drawn by."""
Reader = Annotated[Caller, Depends(allowed(at_least(Role.READ)))]
Operator = Annotated[Caller, Depends(allowed(at_least(Role.OPERATE)))]
