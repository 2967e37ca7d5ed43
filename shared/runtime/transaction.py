"""One fenced transaction: the only way anything of a lane is ever written."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.runtime import due, streams
from shared.runtime.failpoints import Failpoints
from shared.runtime.handler import DueChange, Publication
from shared.runtime.lanes import Claims, fence
from shared.runtime.streams import Committed


class Transaction:
    """What a batch, a clock tick or a sender does between the fence and COMMIT."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._publications: list[Publication] = []

    def publish(self, publications: Iterable[Publication]) -> None:
        """Make messages public when this transaction commits, in this order per lane."""
        self._publications.extend(publications)

    async def change_due(self, changes: Iterable[DueChange]) -> None:
        """Set and clear instants to be woken at."""
        await due.change(self.connection, changes)

    async def number(self) -> list[Committed]:
        """Take the sequences of everything published here; the last writes before COMMIT."""
        return await streams.append(self.connection, self._publications)


class Transactions:
    """Begins transactions under this worker's claims and hands over what they made public.

    Whoever writes to a lane does so here: the batch, the tick, the publisher, a service's own sender. They share the
    fence's lock and may overlap. `hand_over` gets what a commit made public; without one, the table has it.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        claims: Claims,
        failpoints: Failpoints,
    ) -> None:
        self._pool = pool
        self.claims = claims
        self._failpoints = failpoints
        self.hand_over: Callable[[list[Committed]], None] = _leave_to_the_table

    @asynccontextmanager
    async def begin(self, lanes: Iterable[int]) -> AsyncIterator[Transaction]:
        """Open a transaction that holds `lanes`; COMMIT on leaving, ROLLBACK on an error.

        Raises:
            FencedError: a lane is not ours any more.
            psycopg.OperationalError: the connection failed; around COMMIT the outcome is then unknown, and the position
                tells.
        """
        epochs = self.claims.epochs(lanes)
        async with self._pool.connection() as connection:
            async with connection.transaction():
                await fence(connection, self.claims.group, epochs)
                self._failpoints.hit("after_fence")
                transaction = Transaction(connection)
                yield transaction
                committed = await transaction.number()
                self._failpoints.hit("before_commit")
            self._failpoints.hit("after_commit")
            self.hand_over(committed)


def _leave_to_the_table(_committed: list[Committed]) -> None:
    return
