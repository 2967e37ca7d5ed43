"""A reader that tells whether ingest would accept an event, with the sources as they are now."""

from psycopg import Connection

from services.ingest.adapters.postgres_sources import read_sources
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader

_ANY_SECRET = b"whether an event is accepted depends on no secret"


def judging_reader(connection: Connection) -> Reader:
    """Read the sources once; the reader's identities have other names than ingest's, and must not be published."""
    return Reader(Identities(_ANY_SECRET), read_sources(connection).source)
