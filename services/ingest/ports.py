"""What the handler needs from outside: a place that keeps what was refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from psycopg import AsyncConnection

from services.ingest.domain.reading import Refused
from shared.runtime.records import Record


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One refused event with the record it stood in, its place there, and when it was set aside."""

    record: Record
    index: int
    refused: Refused
    at: datetime


class Quarantine(Protocol):
    """Keeps refused events in the caller's transaction; one that is there already stays as it is."""

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Add entries, set-wise."""
        ...
