"""Roles: each service signs in as itself and reaches its own schema only."""

from collections.abc import Iterable

from psycopg import Connection, sql

from shared.runtime.schema_revision import LOCK

TABLE_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


def role_of(service: str) -> str:
    """Name the database role of a service."""
    return f"crm_{service}"


def ensure_role(connection: Connection, service: str, password: str) -> None:
    """Create or renew the LOGIN role of a service: rights on its own schema only, `search_path` pinned to it.

    What later migrations by the same owner create there is granted too. The password travels only as a SCRAM hash, so
    that no server log can show it. Needs a role that may create roles; again changes nothing. Commits.
    """
    role, schema = sql.Identifier(role_of(service)), sql.Identifier(service)
    verifier = sql.Literal(_verifier(connection, role_of(service), password))
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role_of(service),)).fetchone()
        verb = sql.SQL("ALTER" if known else "CREATE")
        statements: list[sql.SQL | sql.Composed] = [
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(verb, role, verifier),
            sql.SQL("ALTER ROLE {} SET search_path = {}").format(role, schema),
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema),
            sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema),
            sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role),
            *_grants(schema, role),
        ]
        for statement in statements:
            connection.execute(statement)


def _grants(schema: sql.Identifier, role: sql.Identifier) -> Iterable[sql.Composed]:
    for rights, kind in ((TABLE_RIGHTS, "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
        parts = {"rights": sql.SQL(rights), "kind": sql.SQL(kind), "schema": schema, "role": role}
        yield sql.SQL("GRANT {rights} ON ALL {kind} IN SCHEMA {schema} TO {role}").format(**parts)
        yield sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rights} ON {kind} TO {role}").format(**parts)


def _verifier(connection: Connection, role: str, password: str) -> str:
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return hashed.decode()
