"""Servers that somebody else runs, named by environment variables: checked, never started or stopped."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

from shared.local.errors import (
    BadDatabaseUrlError,
    DatabaseTooOldError,
    LocalStackError,
    ServerUnreachableError,
    WrongPasswordError,
)
from shared.local.readiness import kafka_problem
from shared.local.status import Notify, ServerKind, ServerStatus, silent

KAFKA_VARIABLE = "CRM_KAFKA_BOOTSTRAP_SERVERS"
DATABASE_VARIABLE = "CRM_DATABASE_URL"
OLDEST_POSTGRES = 15
_SECONDS = 5.0


class ExternalKafka:
    """A Kafka at the addresses of CRM_KAFKA_BOOTSTRAP_SERVERS."""

    name = "kafka"

    def __init__(self, bootstrap_servers: str) -> None:
        self.address: str | None = bootstrap_servers

    def start(self, notify: Notify = silent) -> None:
        """Check that a broker answers. Raises ServerUnreachableError."""
        del notify
        problem = kafka_problem(str(self.address), _SECONDS)
        if problem is not None:
            raise ServerUnreachableError("Kafka", str(self.address), KAFKA_VARIABLE, problem)

    def stop(self) -> None:
        """Leave it alone: it is not ours."""

    def erase(self) -> None:
        """Leave it alone: it is not ours."""

    def running(self) -> bool:
        """Take it to run: whether it does, `status` tells."""
        return True

    def status(self) -> ServerStatus:
        """Ask for a broker."""
        problem = kafka_problem(str(self.address), _SECONDS)
        return ServerStatus(
            self.name, ServerKind.EXTERNAL, self.address, None, healthy=problem is None, detail=problem or ""
        )


class ExternalPostgres:
    """A PostgreSQL at the URL of CRM_DATABASE_URL."""

    name = "postgres"

    def __init__(self, url: str) -> None:
        self.address: str | None = url

    def start(self, notify: Notify = silent) -> None:
        """Check that it answers and is new enough.

        Raises BadDatabaseUrlError, WrongPasswordError, ServerUnreachableError, DatabaseTooOldError.
        """
        del notify
        where = place(str(self.address))
        try:
            with psycopg.connect(str(self.address), connect_timeout=round(_SECONDS)) as connection:
                check_version(where, connection.info.server_version)
        except psycopg.OperationalError as error:
            if error.sqlstate == "28P01" or "authentication failed" in str(error):
                raise WrongPasswordError(where, f"Correct {DATABASE_VARIABLE}.") from error
            cause = str(error).strip().splitlines()[0]
            raise ServerUnreachableError("PostgreSQL", where, DATABASE_VARIABLE, cause) from error
        except psycopg.Error as error:
            raise BadDatabaseUrlError from error

    def stop(self) -> None:
        """Leave it alone: it is not ours."""

    def erase(self) -> None:
        """Leave it alone: it is not ours."""

    def running(self) -> bool:
        """Take it to run: whether it does, `status` tells."""
        return True

    def status(self) -> ServerStatus:
        """Connect, as `start` does."""
        detail = ""
        where = None
        try:
            where = place(str(self.address))
            self.start()
        except LocalStackError as error:
            detail = str(error)
        return ServerStatus(self.name, ServerKind.EXTERNAL, where, None, healthy=not detail, detail=detail)


def place(url: str) -> str:
    """Read host:port/database from a URL or a list of key=value, without role and password.

    Raises BadDatabaseUrlError, which does not show the text.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise BadDatabaseUrlError from error
    host, port = str(parts.get("host", "localhost")), str(parts.get("port", 5432))
    if "@" in host or not port.isdigit():  # an unescaped @ or / in the password: they hold pieces of it
        raise BadDatabaseUrlError
    return f"{host}:{port}/{parts.get('dbname', '')}"


def check_version(where: str, number: int) -> None:
    """Raise DatabaseTooOldError for a server older than 15; the number is libpq's, 150004 for 15.4."""
    major, minor = divmod(number, 10000)
    if major < OLDEST_POSTGRES:
        raise DatabaseTooOldError(where, f"{major}.{minor}", OLDEST_POSTGRES)
