"""An empty database of engagement's own for each test, a mail server with a journal, and a world to act in."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.local.stack import StackAddresses
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database
from tests.integration.services.engagement.mail_server import MailServer, mail_server
from tests.integration.services.engagement.world import World


@pytest.fixture(scope="module")
def migrated_url(stack: StackAddresses) -> Iterator[str]:
    """Give a database with engagement's schema to the tests of a module."""
    with fresh_database(stack, history_of("engagement")) as address:
        yield address


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """Give that database as a test finds it: empty."""
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute("SET search_path = engagement")
        connection.execute(
            "TRUNCATE customers, memberships, triggers, messages, announcements, lanes, streams, publications, due"
        )
    return migrated_url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[AsyncConnectionPool[AsyncConnection]]:
    """Give connections as the runtime hands them out: the schema in the search path, no autocommit."""
    options = "-c search_path=engagement -c timezone=UTC -c lock_timeout=3s"
    async with AsyncConnectionPool(
        database_url, min_size=1, max_size=6, open=False, kwargs={"options": options}, timeout=5
    ) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


@pytest.fixture
async def world(pool: AsyncConnectionPool[AsyncConnection], server: MailServer) -> AsyncIterator[World]:
    made = World(pool, server.port)
    yield made
    await made.close()
