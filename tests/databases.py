"""A database of a test's own, on the one server that all tests share."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import History


@contextmanager
def fresh_database(stack: StackAddresses, history: History) -> Iterator[str]:
    """Give the address of an empty database with a service's schema at its newest revision; gone afterwards."""
    name = f"{history.service}_{secrets.token_hex(6)}"
    parts = conninfo_to_dict(stack.database_url)
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        address = f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{name}"
        migrate(address, history)
        yield address
    finally:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
