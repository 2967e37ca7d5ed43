"""A quarantine that is a list, and a fuse that only counts."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from services.ingest.domain.replaying import Ticket
from services.ingest.domain.tallies import Tallies
from services.ingest.ports import Entry


class InMemoryQuarantine:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.settled: list[Ticket] = []

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - the port's
        self.entries.extend(entries)

    async def settle(self, connection: AsyncConnection, tickets: Sequence[Ticket], at: datetime) -> None:  # noqa: ARG002 - the port's
        self.settled.extend(tickets)


class InMemorySourceFuse:
    """Keeps what it is told, and names `blown` as the sources that this pauses."""

    def __init__(self, blown: Sequence[str] = ()) -> None:
        self.counted: list[tuple[Tallies, datetime]] = []
        self._blown = blown

    async def count(self, connection: AsyncConnection, tallies: Tallies, at: datetime) -> Sequence[str]:  # noqa: ARG002 - the port's
        self.counted.append((tallies, at))
        return self._blown
