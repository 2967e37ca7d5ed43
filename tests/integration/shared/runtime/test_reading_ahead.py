"""The next batch is polled while one is applied: never used when somebody went back meanwhile, and never lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast
from uuid import UUID

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.runtime.reading import Reader
from shared.runtime.records import PlainRecord
from shared.runtime.topic_admin import TopicAdmin
from tests.counting.hand_driven import TOPIC_ID, Worker, click, worker
from tests.counting.topics import CLICKS
from tests.integration.shared.runtime.test_publishing import group_of

AT = TopicPartition(CLICKS.name, 0)
BATCH, CLICKED = 10, 60


class Consumer:
    """A consumer of one lane, which notes what it was asked for; the log is a list."""

    def __init__(self) -> None:
        self.log = [click(offset, f"{offset}", "eva") for offset in range(CLICKED)]
        self.place = 0
        self.polls: list[int] = []
        self.sought = asyncio.Event()
        self.slow = False

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[PlainRecord]]:
        patience = time.monotonic() + timeout_ms / 1000
        while True:
            await asyncio.sleep(0.001)
            if self.place < len(self.log) or time.monotonic() > patience:
                break
        if self.slow and self.place == BATCH:
            await self.sought.wait()
        self.polls.append(self.place)
        found = self.log[self.place : self.place + max_records]
        self.place += len(found)
        return {AT: found} if found else {}

    def seek(self, _place: TopicPartition, offset: int) -> None:
        self.place = offset
        self.sought.set()

    async def commit(self, _offsets: Mapping[TopicPartition, int]) -> None:
        pass


class Admin(TopicAdmin):
    """The topics are what they were."""

    def topic_ids(self, names: Iterable[str]) -> dict[str, UUID]:
        return dict.fromkeys(names, TOPIC_ID)


@asynccontextmanager
async def reading(one: Worker, consumer: Consumer) -> AsyncIterator[Reader]:
    one.processor.topic_ids = {CLICKS.name: TOPIC_ID}
    group = group_of(one)
    settings = group.settings.model_copy(update={"batch_max_events": BATCH, "linger_seconds": 0})
    group = replace(group, settings=settings, admin=Admin("localhost:1"))
    reader = Reader(group, cast("AIOKafkaConsumer", consumer))
    running = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(found: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await found():
                return
            await asyncio.sleep(0.02)


async def check_each_counts_once(one: Worker) -> None:
    """Wait until every click counts, and see that each counts once."""
    await until(lambda: one.rows("SELECT 1 FROM clicks HAVING count(*) = %s", [CLICKED]))
    assert await one.rows("SELECT version FROM counts") == [(CLICKED,)]


async def test_a_backlog_is_polled_while_a_batch_is_applied(counting_database: str) -> None:
    consumer = Consumer()
    async with worker("one", counting_database) as one:
        await one.claim()
        async with one.processor.lock, reading(one, consumer):
            await until(lambda: asyncio.sleep(0, consumer.polls[1:]))
            assert consumer.polls == [0, BATCH]
            assert await one.rows("SELECT * FROM clicks") == []


async def test_what_was_polled_ahead_of_a_batch_that_fails_is_read_again(counting_database: str) -> None:
    consumer = Consumer()
    async with worker("one", counting_database) as one:
        await one.claim()
        one.failing.errors["before_commit"] = psycopg.OperationalError("away")
        async with reading(one, consumer):
            await check_each_counts_once(one)
    assert consumer.polls.count(0) > 1


async def test_what_a_slow_poll_gave_after_going_back_is_read_again(counting_database: str) -> None:
    consumer = Consumer()
    consumer.slow = True
    async with worker("one", counting_database) as one:
        await one.claim()
        one.failing.errors["before_commit"] = psycopg.OperationalError("away")
        async with reading(one, consumer):
            await check_each_counts_once(one)


async def test_what_was_polled_ahead_of_a_recovery_is_read_again(counting_database: str) -> None:
    consumer = Consumer()
    async with worker("one", counting_database) as one:
        await one.claim()
        async with reading(one, consumer) as reader:
            for _ in range(5):
                await reader.recover()
            await check_each_counts_once(one)
