"""What ingest needs from outside: a place that keeps what was refused, and one that knows sources and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec
from psycopg import AsyncConnection

from services.ingest.domain.keys import StoredKey
from services.ingest.domain.reading import Refused
from services.ingest.domain.replaying import Ticket
from services.ingest.domain.sources import Source
from services.ingest.domain.tallies import Tallies
from shared.runtime.records import Record


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One refused event with the record it stood in, its place there, and when it was set aside.

    `ticket` names the entry that this event was a replay of.
    """

    record: Record
    index: int
    refused: Refused
    at: datetime
    ticket: Ticket | None = None


class Rows(msgspec.Struct, frozen=True, gc=False):
    """What a batch leaves in the tables: what was refused, and how many events of each source it had at `at`.

    `settled` are the tickets of the replays in it that went through.
    """

    entries: Sequence[Entry]
    tallies: Tallies
    at: datetime
    settled: Sequence[Ticket] = ()


class Quarantine(Protocol):
    """Keeps refused events in the caller's transaction; one that is there already stays as it is."""

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Add entries, set-wise; a replay that is refused opens its own entry again instead, if its ticket is good."""
        ...

    async def settle(self, connection: AsyncConnection, tickets: Sequence[Ticket], at: datetime) -> None:
        """Close the entries whose replay went through; a ticket that is not good changes nothing."""
        ...


class SourceFuse(Protocol):
    """Counts events by source in the caller's transaction, and pauses a source too many of whose events are refused."""

    async def count(self, connection: AsyncConnection, tallies: Tallies, at: datetime) -> Sequence[str]:
        """Add what a batch had; returns the sources that are paused by this transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Registered sources by name, and by id their keys that are good; both as they stood at one instant."""

    sources: Mapping[str, Source]
    keys: Mapping[str, StoredKey]

    def source(self, name: str) -> Source:
        """Return what is known about a source; a name that nobody registered is an open source without defaults."""
        return self.sources.get(name) or Source.unregistered(name)


class SourceStore(Protocol):
    """Knows sources and keys for all processes."""

    async def read(self) -> Snapshot:
        """Read everything there is."""
        ...

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Keep when keys, by id, were last used; an earlier use than the one that is known changes nothing."""
        ...
