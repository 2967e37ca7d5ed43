"""Which revision a service's schema must be at, and which it is at: the check at each start, without alembic."""

import ast
import importlib.util
import pkgutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from shared.runtime.errors import FatalError

LOCK = 0x7261_7070_6F72_74
"""The advisory lock that migrators of all services take: "rapport" in ASCII."""
CONNECT_SECONDS = 10
VERSION_TABLE = "alembic_version"


class DatabaseUnreachableError(FatalError):
    """PostgreSQL did not let us in."""

    def __init__(self, error: psycopg.OperationalError) -> None:
        why = " ".join(str(error).split())
        super().__init__(
            f"PostgreSQL can't be used ({why}): is it running (`rapport status`), and is CRM_DATABASE_URL right?"
        )


class SchemaDiffersError(FatalError):
    """The schema is not at the revision that this program needs."""

    def __init__(self, service: str, expected: frozenset[str], found: frozenset[str]) -> None:
        super().__init__(
            f"schema {service}: expected revision {_named(expected)}, found {_named(found)}. Run `rapport migrate`, "
            "or start the version of Rapport that fits the database."
        )


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one service: its schema has its name, and `folder` holds `versions/*.py`."""

    service: str
    folder: Path

    def heads(self) -> frozenset[str]:
        """Return the newest revisions: those that no other follows. Read from the files, nothing is executed."""
        revisions: set[str] = set()
        followed: set[str] = set()
        for path in sorted((self.folder / "versions").glob("*.py")):
            names = _assigned(path)
            if isinstance(names.get("revision"), str):
                revisions.add(str(names["revision"]))
                before = names.get("down_revision")
                followed.update(before if isinstance(before, tuple | list) else [str(before)] if before else [])
        return frozenset(revisions - followed)


def history_of(service: str) -> History:
    """Find the history of a service in its own package.

    Raises:
        FatalError: there is no such service, or it has no migrations.
    """
    for history in histories():
        if history.service == service:
            return history
    known = ", ".join(history.service for history in histories()) or "none"
    raise FatalError(f"no migrations of a service {service}; services with migrations: {known}")


def histories() -> list[History]:
    """List the histories of all services that have one, by name."""
    # By name, not by import: nothing shared knows a service.
    spec = importlib.util.find_spec("services")
    folders = list(spec.submodule_search_locations or []) if spec is not None else []
    return [
        History(module.name, Path(folder) / module.name / "migrations")
        for folder in folders
        for module in sorted(pkgutil.iter_modules([folder]), key=lambda module: module.name)
        if (Path(folder) / module.name / "migrations" / "versions").is_dir()
    ]


def connect(database_url: str) -> psycopg.Connection:
    """Open a connection to PostgreSQL.

    Raises:
        DatabaseUnreachableError: it can't be reached, or refuses; the text holds no password.
    """
    try:
        return psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(error) from None


def current_matches(database_url: str, history: History) -> bool:
    """Tell whether the schema is at the newest revision of this program, neither older nor newer."""
    return _found(database_url, history.service) == history.heads()


def require_current(database_url: str, history: History) -> None:
    """Check at start that the schema is at the newest revision of this program.

    Raises:
        SchemaDiffersError: says which revision is expected and found, and to run `rapport migrate`.
        DatabaseUnreachableError: PostgreSQL did not let us in.
    """
    found, expected = _found(database_url, history.service), history.heads()
    if found != expected:
        raise SchemaDiffersError(history.service, expected, found)


def _found(database_url: str, schema: str) -> frozenset[str]:
    table = sql.Identifier(schema, VERSION_TABLE)
    with connect(database_url) as connection:
        # Without the right to see the schema, to_regclass raises instead of saying that there is nothing.
        known = connection.execute(
            "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s", (schema, VERSION_TABLE)
        ).fetchone()
        if known is None:
            return frozenset()
        rows = connection.execute(sql.SQL("SELECT version_num FROM {}").format(table)).fetchall()
        return frozenset(revision for (revision,) in rows)


def _assigned(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for statement in ast.parse(path.read_text("utf-8"), filename=str(path)).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name in ("revision", "down_revision"):
            found[name] = ast.literal_eval(value)
    return found


def _named(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"
