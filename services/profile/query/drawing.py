"""What makes customers findable: terms that are due are drawn beside the requests, as long as the API runs."""

import asyncio

from psycopg import Connection
from psycopg_pool import ConnectionPool

from services.profile.adapters import search_terms
from shared.runtime.health import Check, Passed
from shared.runtime.logs import logger

log = logger(__name__)

IDLE_SECONDS = 0.5
"""Pause when nothing is due, and so about how long it takes until somebody new is found."""
TROUBLED_SECONDS = 5.0


class Drawing:
    """Draws batch after batch until it is closed; whatever goes wrong with one, it is tried again after a rest."""

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool
        self._closing = asyncio.Event()
        self._trouble: str | None = None

    async def run(self) -> None:
        """Draw until `close`."""
        while not self._closing.is_set():
            try:
                taken = await asyncio.to_thread(self._draw)
            except Exception as error:
                # Whatever it is: nobody would notice that search had ended while all else is answered.
                log.warning("Terms for search cannot be drawn", action="search.draw", exc_info=error)
                self._trouble = type(error).__name__
                pause = TROUBLED_SECONDS
            else:
                self._trouble = None
                pause = 0.0 if taken else IDLE_SECONDS
            try:
                await asyncio.wait_for(self._closing.wait(), pause)
            except TimeoutError:
                continue

    def check(self) -> Check:
        """Tell whether drawing stands still: by a note, for whoever asks for anything else is served all the same."""
        if self._trouble is None:
            return Passed("search")
        return Passed("search", f"drawing terms stands still ({self._trouble}): new names are not found yet")

    def close(self) -> None:
        """End after the batch that is under way."""
        self._closing.set()

    def _draw(self) -> int:
        with self._pool.connection() as connection:
            return search_terms.draw(connection)
