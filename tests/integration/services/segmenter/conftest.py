"""A database of the segmenter's own for each test, at its newest revision."""

from collections.abc import AsyncIterator, Iterator

import pytest
from psycopg import AsyncConnection

from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database
from tests.integration.services.segmenter.world import World


@pytest.fixture
def database_url(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database with the segmenter's schema."""
    with fresh_database(stack, history_of("segmenter")) as address:
        yield address


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Give a segmenter on its tables, with a clock that stands still."""
    async with await AsyncConnection.connect(database_url, options="-c search_path=segmenter") as connection:
        yield World(database_url, connection)
