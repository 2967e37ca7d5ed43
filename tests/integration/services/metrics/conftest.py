"""A database of metrics' own for each test, at its newest revision."""

from collections.abc import AsyncIterator, Iterator

import pytest
from psycopg import AsyncConnection

from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with metrics' schema."""
    with fresh_database(stack, history_of("metrics")) as address:
        yield address


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection as the runtime hands it out: the schema in the search path, no autocommit."""
    async with await AsyncConnection.connect(database_url, options="-c search_path=metrics") as opened:
        yield opened
