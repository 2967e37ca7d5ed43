"""Taking lanes over: the new owner waits for the old one's transactions, and ends those that do not end themselves."""

import asyncio
from collections.abc import Iterable

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.runtime.lanes import claim
from shared.runtime.logs import logger

log = logger(__name__)

PATIENCE_SECONDS = 1.0
LONGEST_CLAIM_SECONDS = 60

_END_BLOCKERS = "SELECT pid, pg_terminate_backend(pid) FROM unnest(pg_blocking_pids(%s)) AS blocker (pid)"


async def take_lanes(
    pool: AsyncConnectionPool[AsyncConnection], group: str, lanes: Iterable[int], owner: str
) -> dict[int, int]:
    """Claim lanes and return their new epochs.

    A healthy owner lets go within a batch. One that stands still (stopped inside COPY, or with a result unread) counts
    as active, so that no idle time-out of PostgreSQL ever frees its locks: after `PATIENCE_SECONDS` whatever blocks the
    claim is terminated; its transaction is lost, which is what a fenced owner's should be.
    """
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LONGEST_CLAIM_SECONDS}s'")
        await connection.execute(f"SET LOCAL statement_timeout = '{LONGEST_CLAIM_SECONDS}s'")
        claiming = asyncio.create_task(claim(connection, group, lanes, owner))
        try:
            while not (await asyncio.wait({claiming}, timeout=PATIENCE_SECONDS))[0]:
                await _end_blockers(pool, connection.info.backend_pid)
        finally:
            if not claiming.done():
                claiming.cancel()
                await asyncio.wait({claiming})
        return claiming.result()


async def _end_blockers(pool: AsyncConnectionPool[AsyncConnection], pid: int) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute(_END_BLOCKERS, (pid,))
        for blocker, ended in await cursor.fetchall():
            log.warning("Ended a transaction that blocked a claim", action="claim.end", backend=blocker, ended=ended)
