"""Publishes what is committed: in sequence order, by the lane's owner alone, until it is acknowledged."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.contracts.envelope import Headers
from shared.contracts.topics import Kind
from shared.runtime.arrays import int4s, int8s, texts
from shared.runtime.errors import RowMissingError
from shared.runtime.failpoints import Failpoints
from shared.runtime.handler import Message, Outlet
from shared.runtime.intake import Place
from shared.runtime.observe import BatchObserver
from shared.runtime.outbox import Outbox
from shared.runtime.producing import Producing
from shared.runtime.streams import Committed
from shared.runtime.transaction import Transactions

LOOK_AGAIN_SECONDS = 1.0
LOOK_BLOCKED_SECONDS = 0.1
MOST_PER_SEND = 20_000
MOST_WAITING = 40_000

_WAITING = """
    SELECT topic, lane, first_sequence, keys FROM publications WHERE lane = ANY(%s)
    ORDER BY lane, topic, first_sequence LIMIT 200
"""
_STREAMS = "SELECT topic, lane, published_sequence, acknowledged_offset FROM streams WHERE lane = ANY(%s)"
_SETTLE = """
    WITH held AS (
        SELECT s.topic, s.lane, n.upto, n.last_offset
        FROM streams s JOIN unnest(%s, %s, %s, %s) AS n (topic, lane, upto, last_offset) USING (topic, lane)
        ORDER BY s.topic COLLATE "C", s.lane FOR UPDATE OF s
    )
    UPDATE streams s SET published_sequence = h.upto, acknowledged_offset = h.last_offset
    FROM held h WHERE s.topic = h.topic AND s.lane = h.lane
"""
# Rows are locked in the order in which a batch takes its numbers; else the two wait for each other.
_DELETE = """
    DELETE FROM publications p USING unnest(%s, %s, %s) AS n (topic, lane, upto)
    WHERE p.topic = n.topic AND p.lane = n.lane AND p.first_sequence < n.upto
"""


class Publisher:
    """Sends committed publications of the held lanes; what a crash left, it finds in the table.

    A log may repeat a stretch after a crash, with the same sequences, and never skips one. `foreign` collects, by
    topic and lane, stretches of offsets that somebody else wrote: the auditor looks at those.
    """

    def __init__(
        self,
        transactions: Transactions,
        pool: AsyncConnectionPool[AsyncConnection],
        outlet: Outlet,
        producing: Producing,
        kinds: Mapping[str, Kind],
        failpoints: Failpoints,
        observer: BatchObserver,
    ) -> None:
        self._transactions = transactions
        self._pool = pool
        self._outlet = outlet
        self._producing = producing
        self._kinds = kinds
        self._failpoints = failpoints
        self._observer = observer
        self._outboxes: dict[Place, Outbox] = {}
        self.incarnation = 1
        self._wake = asyncio.Event()
        self.settled = asyncio.Condition()
        self.cycle = asyncio.Lock()
        self.acknowledged: dict[Place, int] = {}
        self.foreign: list[tuple[Place, int, int]] = []

    def hand_over(self, committed: Iterable[Committed]) -> None:
        """Take what a transaction made public; lanes of others are left to their owners, who look at the table."""
        for run in committed:
            if run.lane in self._transactions.claims.lanes:
                self._outbox((run.topic, run.lane)).add(run.first_sequence, run.messages)
        self._wake.set()

    def let_go(self) -> None:
        """Forget what waits: its lanes are not ours now, and the table has it. The caller holds `cycle`."""
        self._outboxes, self.acknowledged = {}, {}
        self.foreign.clear()
        self._wake.set()

    async def take_over(self) -> None:
        """Start at what PostgreSQL says was published of the lanes that are held, and forget everything else."""
        async with self.cycle, self._pool.connection() as connection:
            # Asked only here: whoever waited for the cycle may have waited over a rebalance.
            lanes = self._transactions.claims.lanes
            cursor = await connection.execute("SELECT value FROM incarnation")
            row = await cursor.fetchone()
            self.incarnation = row[0] if row else 1
            cursor = await connection.execute(_STREAMS, (int4s(sorted(lanes)),))
            self._outboxes, self.acknowledged = {}, {}
            for topic, lane, published, offset in await cursor.fetchall():
                self._outboxes[topic, lane] = Outbox(published)
                self.acknowledged[topic, lane] = -1 if offset is None else offset
        self._wake.set()
        async with self.settled:
            self.settled.notify_all()

    @property
    def waiting(self) -> dict[str, int]:
        """Count what is committed and not yet acknowledged in this process, by topic."""
        counts: dict[str, int] = defaultdict(int)
        for (topic, _), outbox in self._outboxes.items():
            counts[topic] += outbox.waiting
        return counts

    async def room(self) -> None:
        """Wait until little enough waits: a slow Kafka slows the reading down instead of filling memory."""
        async with self.settled:
            await self.settled.wait_for(lambda: sum(self.waiting.values()) < MOST_WAITING)

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            FencedError: a lane has a newer owner.
            psycopg.Error, KafkaError: nothing is lost; take the lanes over again.
        """
        loop = asyncio.get_running_loop()
        looked_at = -LOOK_AGAIN_SECONDS
        while True:
            self._wake.clear()
            async with self.cycle:
                try:
                    busy = await self.publish_once()
                except Exception:
                    # Before anybody else: whoever slept past its session learns here that it is fenced.
                    async with self._transactions.begin(self._transactions.claims.lanes):
                        raise
                # Also while there is enough to send: a lane may wait for what only the table has.
                if loop.time() - looked_at >= self._look_every():
                    busy |= await self._look()
                    looked_at = loop.time()
            if not busy:
                # Not wait_for: before Python 3.12 it forgets a cancellation that comes together with the wake.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every()):
                        await self._wake.wait()

    def _look_every(self) -> float:
        blocked = any(outbox.blocked for outbox in self._outboxes.values())
        return LOOK_BLOCKED_SECONDS if blocked else LOOK_AGAIN_SECONDS

    async def publish_once(self) -> bool:
        """Send what may be sent now and settle it; tells whether there was anything."""
        stretches = {}
        for place, outbox in sorted(self._outboxes.items()):
            first, messages = outbox.take(MOST_PER_SEND)
            if messages:
                stretches[place] = (first, messages)
        if not stretches:
            return False
        with self._observer.phase("publish"):
            await self._publish(stretches)
        return True

    async def _publish(self, stretches: Mapping[Place, tuple[int, Sequence[Message]]]) -> None:
        self._failpoints.hit("before_publish")
        offsets = await asyncio.gather(
            *(
                self._producing.send(topic, lane, self._final(topic, first, messages))
                for (topic, lane), (first, messages) in stretches.items()
            )
        )
        self._failpoints.hit("after_publish")
        for place, taken in zip(stretches, offsets, strict=True):
            self._note_offsets(place, taken)
        await self._settle({place: first + len(messages) for place, (first, messages) in stretches.items()})

    def _final(self, topic: str, first: int, messages: Sequence[Message]) -> Iterable[tuple[Message, Headers]]:
        incarnation = ("ce_incarnation", str(self.incarnation).encode())
        if self._kinds.get(topic) is Kind.STATE:
            return [(message, [*message.headers, incarnation]) for message in messages]
        return [
            (message, [*message.headers, incarnation, ("ce_sequence", str(sequence).encode())])
            for sequence, message in enumerate(messages, first)
        ]

    def _note_offsets(self, place: Place, taken: Sequence[tuple[int, int]]) -> None:
        last = self.acknowledged.get(place, -1)
        for base, count in taken:
            if base < 0:
                # Acknowledged as a repeat of what was there already: nobody says where.
                continue
            if base > last + 1:
                self.foreign.append((place, last + 1, base))
            last = base + count - 1
        self.acknowledged[place] = last

    async def _settle(self, upto: Mapping[Place, int]) -> None:
        places = sorted(upto)
        topics = texts([topic for topic, _ in places])
        lanes = int4s([lane for _, lane in places])
        sequences = int8s([upto[place] for place in places])
        async with self._transactions.begin({lane for _, lane in places}) as transaction:
            offsets = int8s([self._looked_at_until(place) for place in places])
            await transaction.connection.execute(_SETTLE, (topics, lanes, sequences, offsets))
            await transaction.connection.execute(_DELETE, (topics, lanes, sequences))
        for place in places:
            self._outboxes[place].sent(upto[place])
        async with self.settled:
            self.settled.notify_all()

    def _looked_at_until(self, place: Place) -> int:
        """Return the offset before which nothing waits for the auditor: who takes over begins to look there."""
        waiting = [first - 1 for where, first, _ in self.foreign if where == place]
        return min([self.acknowledged[place], *waiting])

    async def _look(self) -> bool:
        """Render what the table has from elsewhere or from before a crash; tells whether there was any."""
        lanes = sorted(self._transactions.claims.lanes)
        if not lanes:
            return False
        found = False
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_WAITING, (int4s(lanes),))
            for topic, lane, first, keys in await cursor.fetchall():
                outbox = self._outbox((topic, lane))
                if not outbox.holds(first):
                    rendered = await self._outlet.render(connection, topic, [bytes(key) for key in keys])
                    if len(rendered) != len(keys):
                        raise RowMissingError(topic, lane, len(keys) - len(rendered))
                    outbox.add(first, rendered)
                    found = True
        return found

    def _outbox(self, place: Place) -> Outbox:
        outbox = self._outboxes.get(place)
        if outbox is None:
            outbox = self._outboxes[place] = Outbox(0)
        return outbox
