"""The clock's loop: an instant fires when it is due, and when everything that came before it has been read."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer

from shared.runtime import due, kafka_input
from shared.runtime.errors import FencedError
from shared.runtime.group import Group
from shared.runtime.intake import Place, Position
from shared.runtime.logs import logger
from shared.runtime.retry import Backoff, Verdict, verdict

log = logger(__name__)

MOST_AT_ONCE = 2000
MOST_BEHIND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Where a lane's inputs ended when it was `at`: instants up to `at` may fire once all of that is read."""

    at: datetime
    ends: Mapping[Place, int]

    def reached(self, positions: Mapping[Place, Position]) -> bool:
        """Tell whether everything before the horizon was applied."""
        return all(place in positions and positions[place].next_offset >= end for place, end in self.ends.items())


class Ticker:
    """Fires due instants of the held lanes.

    An hour of unread orders must not make win-back mails go out to those who ordered: hence the horizon, whose ends are
    asked for after its time was taken.
    """

    def __init__(self, group: Group, looker: AIOKafkaConsumer) -> None:
        self._group = group
        # Not the consumer that reads: a broker answers a connection in order, and a fetch may wait for half a second.
        self._looker = looker
        self._horizons: dict[int, Horizon] = {}

    async def run(self) -> None:
        """Tick until cancelled; errors that may pass are retried.

        Raises:
            FencedError, FatalError: somebody must react.
        """
        backoff = Backoff()
        while True:
            await asyncio.sleep(self._group.settings.tick_seconds)
            try:
                await self.tick()
            except Exception as error:
                if verdict(error) is not Verdict.RETRY or isinstance(error, FencedError):
                    raise
                log.warning("A clock tick failed and is tried again", action="tick.retry", exc_info=error)
                await asyncio.sleep(backoff.pause())
            else:
                backoff.succeeded()

    async def tick(self) -> int:
        """Fire what may fire now; returns how many instants that was."""
        group = self._group
        lanes = group.claims.lanes
        self._horizons = {lane: horizon for lane, horizon in self._horizons.items() if lane in lanes}
        if not lanes:
            return 0
        now = group.clock.now()
        async with group.pool.connection() as connection:
            following = await due.following(connection, sorted(lanes))
        fallen = {lane for lane, at in following.items() if at <= now}
        unknown = fallen - set(self._horizons)
        if unknown:
            places = [(topic, lane) for lane in unknown for topic in group.inputs]
            ends = await kafka_input.ends(self._looker, places)
            for lane in unknown:
                self._horizons[lane] = Horizon(now, {place: end for place, end in ends.items() if place[1] == lane})
        async with group.processor.lock:
            ready = {
                lane: self._horizons[lane].at
                for lane in fallen
                if lane in group.claims.lanes and self._horizons[lane].reached(group.processor.positions)
            }
            # What came meanwhile would be judged at a later time than it was read to: look once more where inputs end.
            for lane in [lane for lane, at in ready.items() if now - at > MOST_BEHIND]:
                del ready[lane], self._horizons[lane]
            if not ready:
                return 0
            fired = await group.processor.fire(ready, MOST_AT_ONCE)
        if len(fired) < MOST_AT_ONCE:
            for lane in ready:
                del self._horizons[lane]
        return len(fired)
