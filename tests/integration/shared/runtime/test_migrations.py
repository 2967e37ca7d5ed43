import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from shared.local.stack import StackAddresses
from shared.runtime.migrations import MigrationFailedError, migrate
from shared.runtime.schema_revision import LOCK, History, SchemaDiffersError, connect, current_matches, require_current

HISTORIES = Path(__file__).with_name("histories")


@pytest.fixture
def url(stack: StackAddresses) -> str:
    return stack.database_url


@pytest.fixture
def service(url: str) -> Iterator[str]:
    name = f"migrated_{uuid4().hex[:8]}"
    yield name
    with connect(url) as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def tables(url: str, schema: str) -> set[str]:
    with connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)).fetchall()
    return {name for (name,) in rows}


def at(url: str, schema: str, revision: str) -> None:
    with connect(url) as connection:
        table = sql.Identifier(schema, "alembic_version")
        connection.execute(sql.SQL("UPDATE {} SET version_num = %s").format(table), (revision,))


def test_a_schema_is_brought_to_its_newest_revision_and_then_matches(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    assert not current_matches(url, history)
    migrate(url, history)
    assert current_matches(url, history)
    require_current(url, history)
    assert {"alembic_version", "lanes", "positions", "people"} <= tables(url, service)


def test_migrating_again_changes_nothing(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    migrate(url, history)
    with connect(url) as connection:
        connection.execute(sql.SQL("INSERT INTO {} (name) VALUES ('Ada')").format(sql.Identifier(service, "people")))
    migrate(url, history)
    with connect(url) as connection:
        kept = connection.execute(sql.SQL("SELECT name FROM {}").format(sql.Identifier(service, "people"))).fetchall()
    assert kept == [("Ada",)]


def test_only_what_is_missing_is_run(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    migrate(url, history)
    with connect(url) as connection:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(service, "people")))
    at(url, service, "0001")
    assert not current_matches(url, history)
    migrate(url, history)
    assert "people" in tables(url, service)


def processes(count: int) -> Executor:
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("executor", [processes, ThreadPoolExecutor])
def test_migrators_at_once_do_not_collide(url: str, service: str, executor: Callable[[int], Executor]) -> None:
    history = History(service, HISTORIES / "growing")
    with executor(3) as migrators:
        for ended in [migrators.submit(migrate, url, history) for _ in range(3)]:
            ended.result(timeout=60)
    assert current_matches(url, history)


def test_a_migrator_waits_for_another_one(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with connect(url) as other, ThreadPoolExecutor(1) as executor:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        migrating = executor.submit(migrate, url, history)
        while other.execute(waiting).fetchone() == (0,):
            assert not migrating.done(), "it did not wait"
        assert not current_matches(url, history)
        other.rollback()
        migrating.result(timeout=60)
    assert current_matches(url, history)


def test_a_revision_that_fails_leaves_nothing_behind(url: str, service: str) -> None:
    with pytest.raises(MigrationFailedError, match='nothing of it was kept: relation "half" already exists'):
        migrate(url, History(service, HISTORIES / "broken"))
    assert tables(url, service) == set()


def test_a_database_newer_than_the_program_is_refused_and_left_alone(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    migrate(url, history)
    at(url, service, "9999")
    with pytest.raises(SchemaDiffersError, match=r"expected revision 0002, found 9999\. Run `rapport migrate`"):
        require_current(url, history)
    with pytest.raises(MigrationFailedError, match="9999"):
        migrate(url, history)


def test_an_empty_database_is_refused_at_start(url: str, service: str) -> None:
    with pytest.raises(SchemaDiffersError, match="expected revision 0002, found none"):
        require_current(url, History(service, HISTORIES / "growing"))


def test_a_service_that_may_not_create_is_told_so(url: str, service: str) -> None:
    history = History(service, HISTORIES / "growing")
    weak = f"weak_{uuid4().hex[:8]}"
    with connect(url) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'weak'").format(sql.Identifier(weak)))
    try:
        with pytest.raises(MigrationFailedError, match="permission denied for database"):
            migrate(psycopg.conninfo.make_conninfo(url, user=weak, password="weak"), history)
    finally:
        with connect(url) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(weak)))
