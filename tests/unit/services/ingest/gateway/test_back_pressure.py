"""What does not fit is refused at once, so that it can be sent again; who sends little is never the one refused."""

import asyncio
from collections.abc import Sequence

import pytest

from services.ingest.domain.sources import Source
from services.ingest.ports import Snapshot
from services.ingest.source_book import SourceBook
from shared.runtime.clock import FixedClock
from tests.unit.services.ingest.gateway.case import GOOD, batch
from tests.unit.services.ingest.gateway.gateways import (
    KEY,
    LANES,
    OTHER_KEY,
    InMemoryLog,
    Reply,
    Running,
    basic,
    running,
)
from tests.unit.services.ingest.memory_sources import InMemorySources
from tests.unit.services.ingest.records import APPENDED

MEGABYTE = 1_000_000
LARGE = batch({**GOOD, "properties": {"filling": "x" * 900_000}})
UNKNOWN_LENGTH = [LARGE[:500_000], LARGE[500_000:]]


async def _settled() -> None:
    """Let every task that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def _fill(gateway: Running, key: str, times: int) -> tuple[list[asyncio.Task[Reply | None]], list[Reply]]:
    """Send so many large requests at once; return those that wait, and the answers of the others."""
    sent = [asyncio.create_task(gateway.ask("POST", "/v1/batch", LARGE, basic(key))) for _ in range(times)]
    await _settled()
    answered = [task.result() for task in sent if task.done()]
    return [task for task in sent if not task.done()], [reply for reply in answered if reply is not None]


def _statuses(replies: Sequence[Reply | None]) -> set[int]:
    return {reply.status for reply in replies if reply is not None}


async def test_nothing_is_answered_before_kafka_has_it() -> None:
    log = InMemoryLog()
    log.open.clear()
    async with running(log) as gateway:
        waiting, answered = await _fill(gateway, KEY.text, 1)
        assert (len(waiting), answered) == (1, [])
        log.open.set()
        assert _statuses(await asyncio.gather(*waiting)) == {200}


async def test_a_source_that_holds_half_of_everything_is_told_to_wait_and_another_is_not() -> None:
    log = InMemoryLog()
    log.open.clear()
    async with running(log, in_flight_bytes=10 * MEGABYTE) as gateway:
        waiting, answered = await _fill(gateway, KEY.text, 20)
        assert _statuses(answered) == {429}
        assert {reply.headers["retry-after"] for reply in answered} == {"1"}
        assert 5 <= len(waiting) <= 6  # what one more is asked for must still be free
        others, refused = await _fill(gateway, OTHER_KEY.text, 2)
        assert (len(others), refused) == (2, [])
        log.open.set()
        assert _statuses(await asyncio.gather(*waiting, *others)) == {200}
        assert gateway.gateway.in_flight == 0
        assert (await gateway.post("/v1/batch", LARGE)).status == 200
        assert gateway.counted("crm_ingest_gateway_refused_total", reason="no_room") == len(answered)


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_body_of_any_announced_length_is_held_against_the_budget(*, with_length: bool) -> None:
    log = InMemoryLog()
    log.open.clear()
    async with running(log, in_flight_bytes=4 * MEGABYTE) as gateway:
        sent = [
            asyncio.create_task(
                gateway.ask("POST", "/v1/batch", UNKNOWN_LENGTH, basic(KEY.text), with_length=with_length)
            )
            for _ in range(8)
        ]
        await _settled()
        assert gateway.gateway.in_flight <= 2 * MEGABYTE
        assert _statuses([task.result() for task in sent if task.done()]) == {429}
        log.open.set()
        assert _statuses(await asyncio.gather(*sent)) == {200, 429}


async def test_the_key_in_the_body_does_not_get_around_the_share() -> None:
    log = InMemoryLog()
    log.open.clear()
    keyed = batch({**GOOD, "properties": {"filling": "x" * 900_000}}, writeKey=KEY.text)
    async with running(log, in_flight_bytes=10 * MEGABYTE) as gateway:
        sent = [asyncio.create_task(gateway.ask("POST", "/v1/batch", keyed)) for _ in range(20)]
        await _settled()
        assert _statuses([task.result() for task in sent if task.done()]) == {429}
        # It is this source's room that they take, and nobody else's.
        more, refused = await _fill(gateway, KEY.text, 3)
        assert _statuses(refused) == {429}
        other = batch({**GOOD, "properties": {"filling": "x" * 900_000}}, writeKey=OTHER_KEY.text)
        late = asyncio.create_task(gateway.ask("POST", "/v1/batch", other))
        await _settled()
        assert not late.done()
        log.open.set()
        assert _statuses([await late]) == {200}
        await asyncio.gather(*sent, *more)


async def test_what_kafka_does_not_take_is_answered_with_503_and_is_taken_the_next_time() -> None:
    log = InMemoryLog()
    log.gone = True
    async with running(log) as gateway:
        reply = await gateway.post("/v1/batch", batch(GOOD))
        assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "not_written", "2")
        log.gone = False
        assert (await gateway.post("/v1/batch", batch(GOOD))).status == 200
        assert gateway.counted("crm_ingest_gateway_refused_total", reason="kafka") == 1


async def test_a_kafka_that_says_nothing_is_waited_for_so_long_and_no_longer() -> None:
    log = InMemoryLog()
    log.open.clear()
    async with running(log, answer_seconds=0.05) as gateway:
        async with asyncio.timeout(5):
            replies = await asyncio.gather(*(gateway.post("/v1/batch", batch(GOOD)) for _ in range(20)))
        assert _statuses(replies) == {503}
        assert gateway.gateway.in_flight == 0
        log.open.set()
        await _settled()
        # What was handed over is on Kafka, whoever was told otherwise: it has the same ids when it comes again.
        handed_over = len(log.written)
        async with asyncio.timeout(5):
            assert (await gateway.post("/v1/batch", batch(GOOD))).status == 200
        assert len(log.written) == handed_over + 1


async def test_what_nobody_waits_for_any_more_is_not_written_later() -> None:
    log = InMemoryLog()
    log.open.clear()
    async with running(log, answer_seconds=0.05) as gateway:
        waiting, _ = await _fill(gateway, KEY.text, 8)
        assert _statuses(await asyncio.gather(*waiting)) == {503}
        log.open.set()
        assert (await gateway.post("/v1/batch", batch(GOOD))).status == 200
        # Only what each lane had in its hands, and the last one.
        assert len(log.written) == LANES + 1


async def test_a_pixel_is_a_pixel_without_kafka_too() -> None:
    log = InMemoryLog()
    log.gone = True
    async with running(log) as gateway:
        reply = await gateway.ask("GET", "/v1/pixel/track", query=f"data=eyJldmVudCI6ICJBIn0&writeKey={KEY.text}")
        assert reply is not None
        assert (reply.status, reply.body[:6]) == (200, b"GIF89a")


async def test_many_requests_share_a_round_trip() -> None:
    log = InMemoryLog()
    async with running(log) as gateway:
        await asyncio.gather(*(gateway.post("/v1/batch", batch(GOOD)) for _ in range(100)))
    assert sum(log.runs) == 100
    assert len(log.runs) < 20


async def test_a_source_that_sends_more_than_its_rate_waits_until_it_may() -> None:
    slow = Source("shop", "segment", rate=10, burst=20)
    async with running(InMemoryLog(), slow, Source("other", "segment")) as gateway:
        assert (await gateway.post("/v1/batch", batch(*[GOOD] * 50))).status == 200
        reply = await gateway.post("/v1/batch", batch(GOOD))
        assert (reply.status, reply.json["code"]) == (429, "too_fast")
        assert 2 <= int(reply.headers["retry-after"]) <= 4
        assert (await gateway.post("/v1/batch", batch(GOOD), basic(OTHER_KEY.text))).status == 200
        # Also when only the body says who it is.
        reply = await gateway.post("/v1/batch", batch(GOOD, writeKey=KEY.text), {"Authorization": ""})
        assert reply.status == 429


async def test_a_client_that_leaves_is_not_answered_and_holds_nothing() -> None:
    log = InMemoryLog()
    async with running(log) as gateway:
        headers = {**basic(KEY.text), "Content-Length": "100"}
        assert await gateway.ask("POST", "/v1/batch", [], headers, with_length=False) is None
        assert gateway.gateway.in_flight == 0
    assert log.written == []


async def test_a_book_that_was_never_read_loses_nobody_their_events() -> None:
    unread = SourceBook(InMemorySources(Snapshot({}, {})), FixedClock(APPENDED))
    async with running(InMemoryLog(), known=unread) as gateway:
        reply = await gateway.post("/v1/batch", batch(GOOD))
        assert (reply.status, reply.json["code"], reply.headers["retry-after"]) == (503, "starting", "2")
        await unread.refresh()
        assert (await gateway.post("/v1/batch", batch(GOOD))).status == 401
