"""Exactly-once effects on the real PostgreSQL, step by step: what a zombie, a lost answer or a redo must not do."""

import asyncio
from datetime import timedelta

import pytest
from psycopg import AsyncConnection

from shared.contracts.topics import Kind
from shared.runtime.batch import DeadLetterPolicy
from shared.runtime.errors import FencedError, FuseBlownError, OffsetGapError, PositionMovedError
from shared.runtime.fuse import Limits
from shared.runtime.handler import Publication
from shared.runtime.intake import Position, take_in
from tests.counting.hand_driven import NOW, FailingOn, Refusing, click, nonsense, worker
from tests.counting.handler import counted
from tests.counting.topics import COUNTED


async def test_a_zombie_writes_nothing_after_its_lane_was_claimed(counting_database: str) -> None:
    async with worker("old", counting_database) as old, worker("new", counting_database) as new:
        await old.claim()
        await new.claim()
        with pytest.raises(FencedError):
            await old.process(click(0, "a", "eva"))
        assert await new.rows("SELECT * FROM clicks") == []


async def test_a_zombies_clock_tick_fires_nothing(counting_database: str) -> None:
    async with worker("old", counting_database) as old, worker("new", counting_database) as new:
        await old.claim()
        await old.process(click(0, "a", "clock:1"))
        await new.claim()
        with pytest.raises(FencedError):
            await old.fire({0: NOW + timedelta(seconds=5)})
        assert await new.rows("SELECT version FROM counts") == [(1,)]
        await new.fire({0: NOW + timedelta(seconds=5)})
        assert await new.rows("SELECT version FROM counts") == [(2,)]
        assert await new.rows("SELECT * FROM due") == []


async def test_an_instant_that_the_handler_fails_on_is_set_aside_alone(counting_database: str) -> None:
    async with worker("one", counting_database, kind=FailingOn) as one:
        await one.claim()
        await one.process(click(0, "a", "clock:1"), click(1, "b", "clock:2"), click(2, "c", "clock:3"))
        for _ in range(4):
            await one.fire({0: NOW + timedelta(seconds=5)})
        assert await one.rows("SELECT who, version FROM counts ORDER BY who") == [
            ("clock:1", 1),
            ("clock:2", 2),
            ("clock:3", 2),
        ]
        letters = await one.rows("SELECT topic, reason, value FROM dead_letters")
        assert letters == [("due", "handler_failed", b"clock:1")]
        assert await one.rows("SELECT * FROM due") == []


async def test_a_claim_ends_a_transaction_that_stands_still(counting_database: str) -> None:
    async with worker("old", counting_database) as old, worker("new", counting_database) as new:
        await old.claim()
        async with old.pool.connection() as stuck:
            await stuck.execute("SELECT 1 FROM lanes FOR SHARE")
            # An unfinished COPY counts as active: no idle time-out of PostgreSQL would ever end it.
            copying = stuck.cursor().copy("COPY clicks (id, who, version) FROM STDIN")
            await copying.__aenter__()
            await asyncio.wait_for(new.claim(), 20)
            await stuck.close()
        await new.process(click(0, "a", "eva"))
        assert await new.rows("SELECT version FROM counts") == [(1,)]


async def test_a_batch_whose_position_has_moved_is_not_applied_again(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        before = dict(one.processor.positions)
        await one.process(click(0, "a", "eva"))
        # As after a COMMIT whose answer was lost: what we believe is older than what is true.
        one.processor.positions = before
        one.processor.forget()
        with pytest.raises(PositionMovedError):
            await one.process(click(0, "b", "eva"))
        assert await one.rows("SELECT id FROM clicks") == [("a",)]


async def test_state_that_another_worker_moved_is_read_again(counting_database: str) -> None:
    async with worker("one", counting_database) as one, worker("two", counting_database) as two:
        await one.claim([0])
        await two.claim([1])
        await one.process(click(0, "a", "eva"))
        await two.process(click(0, "b", "eva", lane=1))
        await one.process(click(1, "c", "eva"))
        assert await one.rows("SELECT version FROM counts") == [(3,)]


async def test_a_cache_does_not_outlive_its_epoch(counting_database: str) -> None:
    async with worker("one", counting_database) as one, worker("two", counting_database) as two:
        await one.claim()
        await one.process(click(0, "a", "eva"))
        await two.claim()
        await two.process(click(1, "b", "eva"))
        await one.claim()
        assert one.handler.remembered == {}
        await one.process(click(2, "c", "eva"))
        assert await one.rows("SELECT version FROM counts") == [(3,)]


async def test_sequences_are_taken_one_transaction_at_a_time_and_given_back_on_rollback(
    counting_database: str,
) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "eva"))

        async def second() -> None:
            async with one.transactions.begin([0]) as transaction:
                await transaction.connection.execute(
                    "INSERT INTO streams (topic, lane) VALUES (%s, 0) ON CONFLICT DO NOTHING", (COUNTED.name,)
                )
                transaction.publish([_publication("late")])

        async with one.pool.connection() as first:
            await first.execute(
                "UPDATE streams SET next_sequence = next_sequence + 5 WHERE topic = %s", (COUNTED.name,)
            )
            waiting = asyncio.create_task(second())
            await _until_blocked(first)
            assert not waiting.done()
            await first.rollback()
        await waiting
        firsts = await one.rows("SELECT first_sequence FROM publications WHERE topic = %s ORDER BY 1", (COUNTED.name,))
        assert firsts == [(0,), (1,)]


async def test_what_was_not_acknowledged_is_published_again_and_numbered_the_same(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "eva"), click(1, "b", "eva"))
        one.journal.refusal = ConnectionError("no acknowledgement")
        with pytest.raises(ConnectionError):
            await one.publisher.publish_once()
        assert len(await one.rows("SELECT * FROM publications WHERE topic = %s", (COUNTED.name,))) == 1
    async with worker("two", counting_database) as two:
        await two.claim()
        publishing = asyncio.create_task(two.publisher.run())
        async with asyncio.timeout(10), two.publisher.settled:
            await two.publisher.settled.wait_for(lambda: (COUNTED.name, 0) in two.journal.acknowledged)
        publishing.cancel()
        sent = two.journal.acknowledged[COUNTED.name, 0]
        assert [dict(headers)["ce_sequence"] for _, headers in sent] == [b"0", b"1"]
        assert [dict(headers)["ce_id"] for _, headers in sent] == [b"a", b"b"]
        assert await two.rows("SELECT * FROM publications WHERE topic = %s", (COUNTED.name,)) == []


async def test_a_dead_letter_is_kept_with_its_batch_or_not_at_all(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        one.failing.errors["before_commit"] = ConnectionError("cut")
        with pytest.raises(ConnectionError):
            await one.process(nonsense(0), click(1, "a", "eva"))
        assert await one.rows("SELECT * FROM dead_letters") == []
        await one.process(nonsense(0), click(1, "a", "eva"))
        letters = await one.rows("SELECT reason, value, record_offset FROM dead_letters")
        assert letters == [("not_a_click", b"not json", 0)]
        assert await one.rows("SELECT events_read, applied, dead FROM positions") == [(2, 1, 1)]


async def test_a_duplicate_changes_nothing_but_the_position(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "eva"), click(1, "a", "eva"))
        await one.process(click(2, "a", "eva"))
        assert await one.rows("SELECT version FROM counts") == [(1,)]
        assert await one.rows("SELECT next_offset, applied, duplicate FROM positions") == [(3, 1, 2)]


async def test_a_batch_that_straddles_the_position_is_trimmed_record_by_record(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "eva"), click(1, "b", "eva"))
        await one.process(click(0, "a", "eva"), click(1, "b", "eva"), click(2, "c", "eva"))
        assert await one.rows("SELECT next_offset, records_read, applied FROM positions") == [(3, 3, 3)]


async def test_an_event_that_the_handler_fails_on_is_set_aside_alone(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim()
        # PostgreSQL's text cannot hold a NUL: an error from the database, caused by one event.
        good = [click(offset, f"id-{offset}", "eva") for offset in range(9)]
        await one.process(*good[:5], click(5, "id\x00", "eva"), *[click(6 + n, f"late-{n}", "eva") for n in range(3)])
        assert await one.rows("SELECT version FROM counts") == [(8,)]
        assert await one.rows("SELECT record_offset, reason FROM dead_letters") == [(5, "handler_failed")]


async def test_the_fuse_stops_before_a_bad_deploy_empties_the_topic(counting_database: str) -> None:
    async with worker("one", counting_database, Limits(ratio=0.5, min_events=20, run=100)) as one:
        await one.claim()
        await one.process(*[click(offset, f"id-{offset}", "eva") for offset in range(30)])
        with pytest.raises(FuseBlownError):
            await one.process(*[nonsense(30 + number) for number in range(60)])
        assert await one.rows("SELECT * FROM dead_letters") == []
        assert await one.rows("SELECT next_offset FROM positions") == [(30,)]


async def test_what_a_handler_keeps_itself_cannot_blow_the_fuse(counting_database: str) -> None:
    limits, keeps = Limits(ratio=0.5, min_events=20, run=100), DeadLetterPolicy.HANDLER_KEEPS
    async with worker("one", counting_database, limits, Refusing, keeps) as one:
        await one.claim()
        await one.process(*[click(offset, f"id-{offset}", "eva") for offset in range(200)])
        assert await one.rows("SELECT next_offset, dead FROM positions") == [(200, 200)]
        assert await one.rows("SELECT * FROM dead_letters") == []


async def test_records_of_a_place_without_a_position_are_left_to_be_read_again(counting_database: str) -> None:
    async with worker("one", counting_database) as one:
        await one.claim([0])
        await one.process(click(0, "a", "eva"), click(0, "b", "eva", lane=3))
        assert await one.rows("SELECT id FROM clicks") == [("a",)]


def test_offsets_that_are_missing_on_a_log_of_ours_stop_the_service() -> None:
    with pytest.raises(OffsetGapError):
        take_in({("t", 0): [click(0, "a", "eva"), click(2, "c", "eva")]}, {("t", 0): Position(0)}, {"t": Kind.LOG})


def _publication(click_id: str) -> Publication:
    return Publication(COUNTED.name, 0, click_id.encode(), counted(click_id, "eva", 1))


async def _until_blocked(connection: AsyncConnection) -> None:
    async with asyncio.timeout(10):
        while True:
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            row = await cursor.fetchone()
            if row is not None and row[0]:
                return
            await asyncio.sleep(0.05)
