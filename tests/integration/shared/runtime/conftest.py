import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from tests.counting.app import HISTORY


@pytest.fixture
def counting_database(stack: StackAddresses) -> Iterator[str]:
    """Give an empty database of the counting service's own."""
    name = f"counting_{secrets.token_hex(4)}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = stack.database_url.rpartition("/")[0] + f"/{name}"
    migrate(url, HISTORY)
    yield url
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
