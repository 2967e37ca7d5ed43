from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.roles import ensure_role, role_of
from shared.runtime.schema_revision import DatabaseUnreachableError, History, connect, require_current

HISTORY = Path(__file__).with_name("histories") / "growing"


@pytest.fixture
def owner(stack: StackAddresses) -> Iterator[psycopg.Connection]:
    with connect(stack.database_url) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def services(stack: StackAddresses, owner: psycopg.Connection) -> Iterator[tuple[str, str]]:
    names = (f"one_{uuid4().hex[:8]}", f"two_{uuid4().hex[:8]}")
    for name in names:
        migrate(stack.database_url, History(name, HISTORY))
        ensure_role(owner, name, f"password of {name}")
    yield names
    for name in names:
        owner.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(role_of(name))))
        owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role_of(name))))


def url_of(stack: StackAddresses, service: str, password: str = "") -> str:
    return psycopg.conninfo.make_conninfo(
        stack.database_url, user=role_of(service), password=password or f"password of {service}"
    )


def test_a_service_reads_and_writes_its_own_tables_without_naming_its_schema(
    stack: StackAddresses, services: tuple[str, str]
) -> None:
    with connect(url_of(stack, services[0])) as own:
        own.execute("INSERT INTO people (name) VALUES ('Ada')")
        own.execute("UPDATE people SET name = 'Ada L.'")
        assert own.execute("SELECT name FROM people").fetchall() == [("Ada L.",)]
        own.execute("DELETE FROM people")
        own.execute("CREATE TEMPORARY TABLE staged (LIKE people) ON COMMIT DROP")
    require_current(url_of(stack, services[0]), History(services[0], HISTORY))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM {other}.people",
        "INSERT INTO {other}.people (name) VALUES ('x')",
        "DELETE FROM {other}.positions",
        "CREATE TABLE {other}.mine (id int)",
        "CREATE TABLE {own}.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "DROP TABLE {own}.people",
        "TRUNCATE {own}.people",
        "CREATE ROLE another",
        "CREATE DATABASE another",
    ],
)
def test_a_service_reaches_nothing_else(stack: StackAddresses, services: tuple[str, str], statement: str) -> None:
    own, other = (sql.Identifier(name) for name in services)
    with connect(url_of(stack, services[0])) as connection:
        connection.autocommit = True
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL(statement).format(own=own, other=other))


def test_what_a_later_migration_creates_is_granted_too(
    stack: StackAddresses, owner: psycopg.Connection, services: tuple[str, str]
) -> None:
    owner.execute(sql.SQL("CREATE TABLE {} (id serial, n int)").format(sql.Identifier(services[0], "later")))
    with connect(url_of(stack, services[0])) as own:
        own.execute("INSERT INTO later (n) VALUES (1)")
        assert own.execute("SELECT n FROM later").fetchall() == [(1,)]


def test_ensuring_again_renews_the_password(
    stack: StackAddresses, owner: psycopg.Connection, services: tuple[str, str]
) -> None:
    ensure_role(owner, services[0], "it's another")
    with connect(url_of(stack, services[0], "it's another")) as own:
        assert own.execute("SELECT current_schema()").fetchone() == (services[0],)
    with pytest.raises(DatabaseUnreachableError):
        connect(url_of(stack, services[0]))


def test_the_password_never_travels_in_a_statement(owner: psycopg.Connection, services: tuple[str, str]) -> None:
    said: list[str] = []

    class Overhearing(psycopg.Cursor[tuple[Any, ...]]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Self:
            said.append(query if isinstance(query, str) else query.as_string(self))
            return super().execute(query, *arguments, **options)

    owner.cursor_factory = Overhearing
    ensure_role(owner, services[0], "canary-7f3a")
    assert any("SCRAM-SHA-256$" in statement for statement in said)
    assert not any("canary" in statement for statement in said)
