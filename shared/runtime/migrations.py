"""Migrations: one alembic history per service schema, run by one piece of code and by one migrator at a time."""

import threading
from typing import Any

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared.runtime.errors import FatalError
from shared.runtime.schema_revision import LOCK, VERSION_TABLE, History, connect, histories

LOCK_TIMEOUT = "60s"

# alembic keeps `op` in globals: within a process one migration at a time.
_TURN = threading.Lock()


class MigrationFailedError(FatalError):
    """A migration did not go through; the schema is as it was before."""

    def __init__(self, service: str, why: str) -> None:
        super().__init__(f"migrating schema {service} failed, and nothing of it was kept: {why}")


def migrate(database_url: str, history: History) -> None:
    """Bring a service's schema to its newest revision, in one transaction; a second migrator waits and finds it done.

    Needs a role that may create schemas. Revisions run with the service's schema as their search path.

    Raises:
        MigrationFailedError: a revision failed, or the database is at one that this program does not know.
        DatabaseUnreachableError: PostgreSQL did not let us in.
    """
    connection = connect(database_url)
    try:
        with _TURN:
            _upgrade(connection, history)
    except psycopg.Error as error:
        raise MigrationFailedError(history.service, _why(error)) from error
    except DBAPIError as error:
        cause = error.orig
        why = _why(cause) if isinstance(cause, psycopg.Error) else type(cause).__name__
        raise MigrationFailedError(history.service, why) from error
    except CommandError as error:
        raise MigrationFailedError(history.service, str(error)) from error
    finally:
        connection.close()


def migrate_all(database_url: str) -> list[str]:
    """Migrate every service that has a history, and return their names."""
    found = histories()
    for history in found:
        migrate(database_url, history)
    return [history.service for history in found]


def _lock(connection: psycopg.Connection, schema: str) -> None:
    # The schema is made after the lock: two CREATE SCHEMA IF NOT EXISTS at once end in a unique violation.
    connection.execute("SELECT set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))


def _upgrade(connection: psycopg.Connection, history: History) -> None:
    config = Config()
    config.set_main_option("script_location", str(history.folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: MigrationContext) -> list[RevisionStep]:
        return script._upgrade_revs("heads", revision)  # noqa: SLF001 - alembic's own commands do the same

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=NullPool)
    environment = EnvironmentContext(config, script, fn=steps)
    # SQLAlchemy asks a new connection some questions and rolls back, so the lock comes after that.
    with engine.connect() as carried, carried.begin(), environment:
        _lock(connection, history.service)
        environment.configure(
            connection=carried,
            version_table=VERSION_TABLE,
            version_table_schema=history.service,
            transaction_per_migration=False,
        )
        with environment.begin_transaction():
            environment.run_migrations()


def _why(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split())
