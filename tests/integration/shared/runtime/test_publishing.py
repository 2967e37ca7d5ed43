"""What the fault matrix found in the runtime, each step by step on the real PostgreSQL, so that it stays found."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import Kind
from shared.runtime.auditor import Auditor
from shared.runtime.errors import FencedError, TopicRecreatedError
from shared.runtime.group import Group
from shared.runtime.health import Health
from shared.runtime.reading import Reader
from shared.runtime.records import PlainRecord
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import TopicAdmin
from tests.counting.hand_driven import GROUP, NOW, Worker, click, worker
from tests.counting.handler import CountingOutlet
from tests.counting.topics import CLICKS, COUNTED, COUNTS


@pytest.fixture
async def one(counting_database: str) -> AsyncIterator[Worker]:
    """Give a worker that holds lane 0."""
    async with worker("one", counting_database) as held:
        await held.claim()
        yield held


async def let_go(one: Worker) -> None:
    async with one.processor.lock, one.publisher.cycle:
        one.claims.replace({})
        one.publisher.let_go()


async def blocked(one: Worker) -> None:
    """Wait until a transaction of this database waits for a lock."""
    async with asyncio.timeout(10):
        while True:
            rows = await one.rows(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if rows:
                return
            await asyncio.sleep(0.02)


async def test_what_waits_to_be_published_is_forgotten_with_its_lanes(one: Worker) -> None:
    await one.process(click(0, "a", "eva"))
    await let_go(one)
    # Else the next membership would begin by settling what it does not hold, be fenced by itself, and so for ever.
    assert await one.publisher.publish_once() is False
    assert one.journal.acknowledged == {}


async def test_taking_over_counts_the_lanes_held_when_its_turn_comes(one: Worker) -> None:
    await one.process(click(0, "a", "eva"))
    await one.publisher.publish_once()
    await let_go(one)
    async with one.publisher.cycle:
        slow = asyncio.create_task(one.publisher.take_over())
        await asyncio.sleep(0)
        one.claims.replace({0: 1})
    await slow
    assert one.publisher.acknowledged[COUNTED.name, 0] == 0


async def test_publishing_locks_streams_in_the_order_in_which_batches_number_them(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim([0, 1, 2, 3])
        # The later lanes' rows come first in the table: a plan that reads it in its own order locks those first.
        for lane in (3, 2, 1, 0):
            await one.process(click(0, f"c{lane}", f"p{lane}", lane=lane))
        async with one.pool.connection() as batch:
            await batch.execute("SELECT FROM streams WHERE topic = %s AND lane = 0 FOR UPDATE", (COUNTED.name,))
            publishing = asyncio.create_task(one.publisher.publish_once())
            await blocked(one)
            await batch.execute("SELECT FROM streams WHERE lane = 3 FOR UPDATE NOWAIT")
            await batch.rollback()
        assert await publishing


async def test_a_failed_publishing_asks_the_fence_before_anybody_else(counting_database: str) -> None:
    async with worker("old", counting_database) as old, worker("new", counting_database) as new:
        await old.claim()
        await old.process(click(0, "a", "eva"))
        await new.claim()
        old.journal.refusal = ConnectionError("the broker is away")
        with pytest.raises(FencedError):
            await old.publisher.run()


async def test_what_is_sent_again_is_never_older_than_what_goes_out_before_it(one: Worker) -> None:
    await one.process(click(0, "a", "eva"))
    auditor = Auditor(group_of(one), cast("AIOKafkaConsumer", None))
    older = PlainRecord(
        topic=COUNTS.name, partition=0, offset=0, key=b"eva", headers=[("ce_incarnation", b"1"), ("ce_version", b"0")]
    )
    async with one.pool.connection() as batch:
        # A batch that has its number and has not committed yet: its record goes out first.
        await batch.execute("UPDATE counts SET version = 2 WHERE who = 'eva'")
        await batch.execute("UPDATE streams SET next_sequence = next_sequence + 1 WHERE topic = %s", (COUNTS.name,))
        auditing = asyncio.create_task(auditor._re_emit((COUNTS.name, 0), [older]))
        await blocked(one)
        await batch.commit()
    assert await auditing == 1
    first = (await one.rows("SELECT max(first_sequence) FROM publications WHERE topic = %s", (COUNTS.name,)))[0][0]
    assert first == 2
    run = one.publisher._outboxes[COUNTS.name, 0]._runs[2]
    assert dict(run[0].headers)["ce_version"] == b"2"


async def test_whoever_takes_over_looks_where_nobody_looked_yet(
    counting_database: str,
) -> None:
    place = (COUNTS.name, 0)
    async with worker("one", counting_database) as one, worker("two", counting_database) as two:
        await one.claim()
        await one.process(click(0, "a", "eva"))
        await one.publisher.publish_once()
        one.journal.acknowledged[place].append((b"eva", []))  # a zombie's record, between two of ours
        await one.process(click(1, "b", "eva"))
        await one.publisher.publish_once()
        assert one.publisher.foreign == [(place, 1, 2)]
        await two.claim()
        assert two.publisher.acknowledged[place] == 0
        # A look that is done is not done again.
        await one.claim()
        one.publisher.foreign.clear()
        one.publisher.acknowledged[place] = 2
        await one.process(click(2, "c", "eva"))
        await one.publisher.publish_once()
        await two.claim()
        assert two.publisher.acknowledged[place] == 3


async def test_a_tick_that_does_not_commit_leaves_nothing_remembered(one: Worker) -> None:
    await one.process(click(0, "a", "clock:1"))
    one.failing.errors["before_commit"] = ConnectionError("cut")
    with pytest.raises(ConnectionError):
        await one.fire({0: NOW + timedelta(seconds=5)})
    assert one.handler.remembered == {}
    await one.fire({0: NOW + timedelta(seconds=5)})
    assert await one.rows("SELECT version FROM counts") == [(2,)]


async def test_nothing_is_applied_of_a_batch_whose_topic_is_another_one(one: Worker) -> None:
    async def proof() -> None:
        raise TopicRecreatedError(CLICKS.name, "this", "that")

    with pytest.raises(TopicRecreatedError):
        await one.processor.process({(CLICKS.name, 0): [click(0, "a", "eva")]}, proof())
    assert await one.rows("SELECT * FROM clicks") == []
    assert await one.rows("SELECT next_offset FROM positions") == [(0,)]


async def test_who_waits_for_the_database_is_alive(counting_database: str) -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    async with worker("one", counting_database) as one:
        one.failing.errors["after_fence"] = ConnectionError("away")
        now[0] = 1000.0
        assert not health.liveness().ok
        reader = Reader(replace(group_of(one), health=health), cast("AIOKafkaConsumer", None))
        await reader.recover()
    assert one.failing.errors == {}
    assert health.liveness().ok


def group_of(one: Worker) -> Group:
    return Group(
        name=GROUP,
        owner=one.name,
        inputs={CLICKS.name: Kind.RAW},
        outputs={COUNTS.name: COUNTS.kind, COUNTED.name: COUNTED.kind},
        settings=RuntimeSettings.model_validate(
            {"kafka_bootstrap_servers": "localhost:1", "database_url": "postgresql://nobody@localhost:1/none"}
        ),
        pool=one.pool,
        claims=one.claims,
        transactions=one.transactions,
        processor=one.processor,
        publisher=one.publisher,
        outlet=CountingOutlet(),
        admin=TopicAdmin("localhost:1"),
        clock=one.clock,
        failpoints=one.failing,
        metrics=one.metrics,
        health=Health(),
    )
