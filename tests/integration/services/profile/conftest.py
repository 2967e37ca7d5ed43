"""A database of profile's own for each test, at its newest revision, with connections as the runtime opens them."""

from collections.abc import AsyncIterator, Iterator

import pytest
from psycopg import AsyncConnection

from services.profile.adapters.sessions import SESSION
from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database

OPTIONS = "-c search_path=profile -c timezone=UTC " + " ".join(f"-c {name}={value}" for name, value in SESSION.items())


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with profile's schema."""
    with fresh_database(stack, history_of("profile")) as address:
        yield address


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Give a connection as the runtime hands it out: the schema in the search path, no autocommit."""
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as opened:
        yield opened
