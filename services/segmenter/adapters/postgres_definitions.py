"""Registered definitions: what changed becomes a new version, what is gone a version without content."""

from collections.abc import Mapping

import psycopg
from psycopg import Connection

from services.segmenter.domain.catalogue import Catalogue, Registered
from services.segmenter.domain.definitions import Definition, read

_LATEST = """
    SELECT DISTINCT ON (segment) segment, version, revision, content_hash, source FROM definitions
    ORDER BY segment, version DESC
"""
_ADD = "INSERT INTO definitions (segment, version, revision, content_hash, source) VALUES (%s, %s, %s, %s, %s)"


def register(connection: Connection, definitions: Mapping[str, tuple[Definition, str]]) -> Catalogue:
    """Make these definitions, each with its source, the ones in force, and return them as a catalogue; commits.

    The revision of the whole set rises by one if anything changed. Several replicas may register at once: the second
    finds nothing left to do.
    """
    with connection.transaction():
        connection.execute("LOCK TABLE definitions IN SHARE ROW EXCLUSIVE MODE")
        latest = {row[0]: row[1:] for row in connection.execute(_LATEST)}
        revision = max((row[1] for row in latest.values()), default=0)
        added: list[tuple[str, int, int, bytes | None, str | None]] = []
        for segment, (definition, source) in definitions.items():
            version, _, content, _ = latest.get(segment, (0, 0, None, None))
            if content is None or bytes(content) != definition.content:
                added.append((segment, version + 1, revision + 1, definition.content, source))
        for segment, (version, _, content, _) in latest.items():
            if content is not None and segment not in definitions:
                added.append((segment, version + 1, revision + 1, None, None))
        with connection.cursor() as cursor:
            cursor.executemany(_ADD, added)
        return _in_force(connection)


def in_force(connection: Connection) -> Catalogue:
    """Read the definitions in force, as the commands see them."""
    return _in_force(connection)


def _in_force(connection: Connection) -> Catalogue:
    revision, registered, retired = 0, [], {}
    for segment, version, introduced, content, source in connection.execute(_LATEST):
        revision = max(revision, introduced)
        if content is None:
            retired[segment] = version
        else:
            registered.append(Registered(read(f"{segment}.yaml", source.encode()), version, introduced))
    return Catalogue(revision, registered, retired)


def connect(database_url: str) -> Connection:
    """Connect to the segmenter's schema."""
    return psycopg.connect(database_url, options="-c search_path=segmenter", connect_timeout=10)
