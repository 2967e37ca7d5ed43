"""Waiting until everything that was sent has gone all the way, service by service, down the stream."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from aiokafka import AIOKafkaConsumer
from psycopg import sql

from shared.contracts.topics import (
    ACTIVITIES,
    CUSTOMERS,
    INTERACTIONS,
    OUTREACH,
    RAW_EVENTS,
    SEGMENT_CHANGES,
    Topic,
)
from shared.runtime.kafka_input import ends, new_reader
from shared.runtime.settings import RuntimeSettings

STREAM: Mapping[str, tuple[Topic, ...]] = {
    "ingest": (RAW_EVENTS,),
    "profile": (INTERACTIONS,),
    "segmenter": (CUSTOMERS, ACTIVITIES),
    "engagement": (SEGMENT_CHANGES, CUSTOMERS),
    "metrics": (ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, OUTREACH),
}
"""Each service with what it reads, upstream first: when one is quiet, what the next one reads has come to its end."""

POLL_SECONDS = 0.25
UNDER_WAY = "SELECT count(*) FROM engagement.messages WHERE state IN ('planned', 'claimed', 'sending', 'retry_wait')"


class NotSettledError(Exception):
    """The stream stood still before its end."""

    def __init__(self, service: str, behind: int, seconds: float) -> None:
        super().__init__(
            f"{service} has not moved for {seconds:.0f} s with {behind} records to go: "
            f"see .rapport/demo/logs/{service}.log"
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one service is: records read of what its inputs hold now, and publications that wait."""

    read: int
    total: int
    waiting: int

    @property
    def quiet(self) -> bool:
        """Tell whether nothing is left to do."""
        return self.read >= self.total and not self.waiting


class Settling:
    """Looks at positions in PostgreSQL and at the ends of the topics in Kafka."""

    def __init__(self, connection: psycopg.AsyncConnection, consumer: AIOKafkaConsumer, lanes: int) -> None:
        self._connection = connection
        self._consumer = consumer
        self._lanes = range(lanes)

    async def until_quiet(self, look: Callable[[str, Standing], None], patience: float = 90.0) -> None:
        """Return when every service is quiet, upstream first; `look` sees each service's standing on the way.

        Raises:
            NotSettledError: a service did not move for `patience` seconds.
        """
        for service in STREAM:
            await self.until_one_is_quiet(service, look, patience)

    async def until_one_is_quiet(
        self, service: str, look: Callable[[str, Standing], None], patience: float = 90.0
    ) -> None:
        """Return when one service has read and said everything that there is for it now.

        Raises:
            NotSettledError: it did not move for `patience` seconds.
        """
        loop = asyncio.get_running_loop()
        last, moved_at = None, loop.time()
        while True:
            standings = {one: await self._standing(one, topics) for one, topics in STREAM.items()}
            for one, standing in standings.items():
                look(one, standing)
            mine = standings[service]
            if mine.quiet:
                return
            if mine != last:
                last, moved_at = mine, loop.time()
            elif loop.time() - moved_at > patience:
                raise NotSettledError(service, mine.total - mine.read + mine.waiting, patience)
            await asyncio.sleep(POLL_SECONDS)

    async def _standing(self, service: str, topics: Sequence[Topic]) -> Standing:
        offsets = await ends(self._consumer, [(topic.name, lane) for topic in topics for lane in self._lanes])
        query = sql.SQL(
            "SELECT (SELECT coalesce(sum(next_offset), 0) FROM {positions}),"
            " (SELECT coalesce(sum(cardinality(keys)), 0) FROM {publications})"
        ).format(positions=sql.Identifier(service, "positions"), publications=sql.Identifier(service, "publications"))
        row = await (await self._connection.execute(query)).fetchone()
        read, waiting = (0, 0) if row is None else row
        if service == "engagement":
            under_way = await (await self._connection.execute(UNDER_WAY)).fetchone()
            waiting += 0 if under_way is None else under_way[0]
        return Standing(int(read), sum(offsets.values()), int(waiting))


@asynccontextmanager
async def settling(settings: RuntimeSettings) -> AsyncIterator[Settling]:
    """Look from connections of our own."""
    reader = new_reader(settings)
    await reader.start()
    try:
        url = settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            yield Settling(connection, reader, settings.lanes)
    finally:
        await reader.stop()
