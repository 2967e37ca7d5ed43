"""A database of the segmenter's own for each test, at its newest revision."""

import secrets
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of
from tests.integration.services.segmenter.world import World


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with the segmenter's schema."""
    name = f"segmenter_{secrets.token_hex(6)}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = psycopg.conninfo.conninfo_to_dict(stack.database_url)
    address = f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{name}"
    migrate(address, history_of("segmenter"))
    yield address
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Give a segmenter on its tables, with a clock that stands still."""
    async with await AsyncConnection.connect(database_url, options="-c search_path=segmenter") as connection:
        yield World(database_url, connection)
