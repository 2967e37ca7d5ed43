"""Sources as an operator registers them, each change in a transaction of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection
from psycopg_pool import AsyncConnectionPool

from services.ingest.adapters import postgres_registrations as registrations
from services.ingest.adapters.postgres_sources import connect
from services.ingest.domain.keys import NewKey
from services.ingest.domain.registration import Rotated
from services.ingest.domain.sources import Source
from shared.runtime.database import new_pool
from shared.runtime.settings import RuntimeSettings


@contextmanager
def changing(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def add(database_url: str, source: Source) -> NewKey:
    with changing(database_url) as connection:
        key = registrations.add(connection, source, secrets.token_bytes)
    assert key is not None
    return key


def rotate(database_url: str, name: str, ends_at: datetime) -> tuple[NewKey, Rotated]:
    with changing(database_url) as connection:
        done = registrations.rotate(connection, name, ends_at, secrets.token_bytes)
    assert isinstance(done, tuple)
    return done


def revoke(database_url: str, key_id: str) -> None:
    with changing(database_url) as connection:
        assert registrations.revoke(connection, key_id) is not None


def asked(database_url: str, statement: Any, *values: Any) -> Any:
    """Return the only column of the only row."""
    with changing(database_url) as connection:
        row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def away(database_url: str) -> Iterator[None]:
    """Let nobody into the database, and end whoever is in."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    server = database_url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def pool_of(database_url: str) -> "AsyncConnectionPool[psycopg.AsyncConnection]":
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": "localhost:9092", "database_url": database_url}
    )
    return new_pool("ingest", settings, {})
