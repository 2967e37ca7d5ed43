"""A quarantine that is a list."""

from collections.abc import Sequence

from psycopg import AsyncConnection

from services.ingest.ports import Entry


class InMemoryQuarantine:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - the port's
        self.entries.extend(entries)
