"""Databases with ingest's schema, for tests that share one."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import History, history_of


@contextmanager
def fresh_database(stack: StackAddresses, history: History | None = None) -> Iterator[str]:
    """Give the address of a database of one's own, at the newest revision or at that of another history."""
    name = f"ingest_{secrets.token_hex(6)}"
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = psycopg.conninfo.conninfo_to_dict(stack.database_url)
    address = f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{name}"
    try:
        migrate(address, history or history_of("ingest"))
        yield address
    finally:
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
