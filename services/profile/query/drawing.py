"""What makes customers findable: terms that are due are drawn beside the requests, as long as the API runs."""

import asyncio

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout

from services.profile.adapters import search_terms
from shared.runtime.logs import logger

log = logger(__name__)

IDLE_SECONDS = 0.5
"""Pause when nothing is due, and so about how long it takes until somebody new is found."""
TROUBLED_SECONDS = 5.0


class Drawing:
    """Draws batch after batch until it is closed; whatever goes wrong with one, the next is tried."""

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Draw until `close`."""
        while not self._closing.is_set():
            try:
                taken = await asyncio.to_thread(self._draw)
                pause = 0.0 if taken else IDLE_SECONDS
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("Terms for search cannot be drawn", action="search.draw", error=type(error).__name__)
                pause = TROUBLED_SECONDS
            try:
                await asyncio.wait_for(self._closing.wait(), pause)
            except TimeoutError:
                continue

    def close(self) -> None:
        """End after the batch that is under way."""
        self._closing.set()

    def _draw(self) -> int:
        with self._pool.connection() as connection:
            return search_terms.draw(connection)
