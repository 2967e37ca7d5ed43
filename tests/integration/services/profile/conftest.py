"""A database of profile's own for each test, at its newest revision, with connections as the runtime opens them."""

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from services.profile.adapters.sessions import SESSION
from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of

OPTIONS = "-c search_path=profile -c timezone=UTC " + " ".join(f"-c {name}={value}" for name, value in SESSION.items())


@contextmanager
def fresh_database(stack: StackAddresses) -> Iterator[str]:
    """Make a database with profile's schema, for as long as it is used."""
    name = f"profile_{secrets.token_hex(6)}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = psycopg.conninfo.conninfo_to_dict(stack.database_url)
    address = f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{name}"
    try:
        migrate(address, history_of("profile"))
        yield address
    finally:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with profile's schema."""
    with fresh_database(stack) as address:
        yield address


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection as the runtime hands it out: the schema in the search path, no autocommit."""
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as opened:
        yield opened
