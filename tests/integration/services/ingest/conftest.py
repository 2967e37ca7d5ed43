"""A database of ingest's own for each test, at its newest revision."""

import logging
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database


@pytest.fixture(autouse=True)
def heard_again() -> Iterator[None]:
    """Let a library be heard again that a command, run in this very process, told to be silent."""
    library = logging.getLogger("aiokafka")
    level = library.level
    yield
    library.setLevel(level)


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with ingest's schema."""
    with fresh_database(stack, history_of("ingest")) as address:
        yield address


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection as the runtime hands it out: the schema in the search path, no autocommit."""
    async with await AsyncConnection.connect(database_url, options="-c search_path=ingest") as opened:
        yield opened


@pytest.fixture
def operating(database_url: str) -> Iterator[Connection]:
    """Give a connection as operators' commands have it."""
    with psycopg.connect(database_url, options="-c search_path=ingest", autocommit=True) as opened:
        yield opened
