"""What a process knows of sources and their keys: a snapshot that is renewed in the background and asked for free."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from services.ingest.domain import keys
from services.ingest.domain.sources import Source
from services.ingest.ports import Snapshot, SourceStore
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.runtime.logs import logger
from shared.runtime.retry import Verdict, verdict

log = logger(__name__)

CONDITION = "sources"
"""Name of the health condition that tells how the book is."""

REFRESH_SECONDS = 2.0
DEADLINE_SECONDS = 2.5
"""Pause and question together stay below the five seconds within which a revoked key is refused everywhere."""

_NOTHING = Snapshot({}, {})


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A good key: whose it is, and its id, to be told to `SourceBook.used` and to count its events by."""

    source: Source
    key_id: str


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """No good key: none that we made, or one that ended or was revoked. Which of these is nobody's business."""


Authentication = Authenticated | UnknownKey
UNKNOWN_KEY = UnknownKey()


class SourceBook:
    """Knows sources by name and by key, as they were when last read; used in one event loop.

    Asking does no I/O and waits for nothing. `refresh` replaces the snapshot whole; when it fails the last one stays.
    `snapshot` is one that was read just now; without one the book is empty until it is refreshed. `read_at` tells how
    old its words are.
    """

    def __init__(self, store: SourceStore, clock: Clock, snapshot: Snapshot | None = None) -> None:
        self._store = store
        self._clock = clock
        self._snapshot = _NOTHING if snapshot is None else snapshot
        self.read_at = None if snapshot is None else clock.now()
        self._uses: dict[str, datetime] = {}

    async def refresh(self) -> None:
        """Read sources and keys anew, then write down which keys were used.

        Raises:
            psycopg.Error, OSError: that was not possible; what was known stays, uses are written the next time.
        """
        self._snapshot = await self._store.read()
        self.read_at = self._clock.now()
        uses, self._uses = self._uses, {}
        try:
            if uses:
                await self._store.note_uses(uses)
        except BaseException:
            self._uses = uses | self._uses
            raise

    def source(self, name: str) -> Source:
        """Return what is known about a source, as `Snapshot.source` does."""
        return self._snapshot.source(name)

    def authenticate(self, text: str) -> Authentication:
        """Tell whose key this is, if it is a good one now; a paused source's key is good."""
        key_id = keys.id_of(text)
        stored = None if key_id is None else self._snapshot.keys.get(key_id)
        if stored is None or not stored.matches(text, self._clock.now()):
            return UNKNOWN_KEY
        return Authenticated(self.source(stored.source), stored.id)

    def used(self, key_id: str) -> None:
        """Say that a key that was authenticated is used now."""
        self._uses[key_id] = self._clock.now()


class BookKeeper:
    """Refreshes a book again and again, and says in the process's health how that goes.

    For whatever runs tasks: a `mode.Service` of the worker, an asyncio task of the gateway.
    """

    def __init__(self, book: SourceBook, health: Health, clock: Clock) -> None:
        self._book = book
        self._health = health
        self._clock = clock

    async def run(self) -> NoReturn:
        """Refresh until cancelled; when PostgreSQL is away the book stays as it is, and readiness tells since when.

        Raises:
            Exception: what trying again can't mend, such as a missing table.
        """
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Refresh once, within a deadline; what may pass is said and not raised."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await self._book.refresh()
        except Exception as error:
            if verdict(error) is not Verdict.RETRY:
                raise
            log.warning("Sources and keys can't be read now", action="sources.retry", error=type(error).__name__)
            self._say_stale()
        else:
            self._health.satisfied(CONDITION)

    def _say_stale(self) -> None:
        read_at = self._book.read_at
        if read_at is None:
            self._health.unsatisfied(CONDITION, "sources and keys could not be read yet")
            return
        age = (self._clock.now() - read_at).total_seconds()
        self._health.satisfied(CONDITION, f"PostgreSQL is away: sources and keys are as they were {age:.0f} s ago")
