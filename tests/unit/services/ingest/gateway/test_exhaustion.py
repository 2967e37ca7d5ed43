"""Small requests that cost much: each has a bound, and no other sender waits while one is worked through."""

import asyncio
import gzip
import json
import resource
import threading
import time
import tracemalloc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.domain.glance import surely_good
from services.ingest.domain.posts import SEGMENT, pieces
from services.ingest.domain.problems import Problem, Reason
from services.ingest.domain.reading import Refused, read
from services.ingest.domain.shapes.splitting import MOST, members
from services.ingest.domain.sources import Source
from services.ingest.gateway import credentials, reception
from services.ingest.gateway.appending import Appender
from services.ingest.gateway.inflating import Broken, inflated
from shared.contracts.envelope import Headers
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Message
from shared.runtime.records import PlainRecord
from tests.unit.services.ingest.gateway.case import GOOD, batch
from tests.unit.services.ingest.gateway.gateways import KEY, LANES, InMemoryLog, Running, basic, running
from tests.unit.services.ingest.records import READER

MEGABYTE = 1_000_000
LARGEST = 4 * MEGABYTE
SOURCE = Source("shop", "web")


@contextmanager
def cpu_seconds(most: float) -> Iterator[None]:
    """Hold what is done within against the time that this process may work for it; waiting does not count."""
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < most, f"{took:.1f} s"


def reason_of(value: bytes) -> Reason:
    """Read a record that is one refused event."""
    record = PlainRecord(
        topic="crm.raw-events.v1", partition=0, offset=0, timestamp=0, value=value, headers=[("source", b"shop")]
    )
    (reading,) = read(record, READER)
    assert isinstance(reading, Refused)
    return reading.problem.reason


def counted(body: bytes) -> list[int]:
    found = pieces(body, SEGMENT, "shop", lambda: "made-up")
    assert not isinstance(found, Problem)
    return [piece.events for piece in found]


def test_a_body_of_very_many_empty_gzip_members_is_broken() -> None:
    with cpu_seconds(2.0):
        assert inflated(gzip.compress(b"") * 200_000, b"gzip", LARGEST) == Broken()
    assert inflated(gzip.compress(b" ") * 100, b"gzip", LARGEST) == b" " * 100


@pytest.mark.parametrize(
    ("body", "events", "reason"),
    [
        (b'{"batch":[%s]}' % (b"," * LARGEST), MOST, Reason.TOO_LARGE),
        (b'{"batch":[{"a":[%s]}]}' % (b"," * LARGEST), 1, Reason.TOO_LARGE),
        (b'{"a":[%sNaN]}' % (b"0," * (LARGEST // 2)), 1, Reason.TOO_LARGE),
        (b'{"batch":[%s{}]}' % (b"{}," * (LARGEST // 3)), LARGEST // 3 + 1, Reason.TOO_LARGE),
    ],
    ids=["commas", "commas in a member", "a NaN at the end", "empty events"],
)
def test_what_is_split_or_searched_costs_little_whatever_it_is(body: bytes, events: int, reason: Reason) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with cpu_seconds(4.0):
        assert counted(body) == [events]
        assert surely_good(body, None, SOURCE, datetime.now(UTC)) == (0, body)
        assert reason_of(body) is reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024


def test_no_more_members_are_told_apart_than_a_batch_may_have() -> None:
    assert members(b'{"a":1,"batch":[%s0]}' % (b"0," * (MOST - 1)), b"batch") == ([b"0"] * MOST, b'{"a":1,"batch":[]}')
    assert members(b'{"a":1,"batch":[%s0],"b":2}' % (b"0," * MOST), b"batch") == ([b"0"] * MOST, b'{"a":1,"batch":[]}')
    assert members(b"[%s0]" % (b"0," * MOST), None) == ([b"0"] * MOST, b"[]")


def test_what_a_batch_says_of_each_event_is_held_against_the_limit_at_a_glance_too() -> None:
    event = json.dumps({"type": "track", "event": "Mug Broken", "userId": "u-1", "messageId": "m"}).encode()
    body = b'{"integrations":{"a":"%s"},"batch":[%s]}' % (b"x" * 20_000, b",".join([event] * 900))
    assert reason_of(body) is Reason.TOO_LARGE
    assert surely_good(body, None, SOURCE, datetime.now(UTC)) == (0, body)


def test_a_key_that_is_no_text_is_not_even_read() -> None:
    body = b'{"writeKey":[%s0]}' % (b"[0]," * 100_000)
    tracemalloc.start()
    try:
        assert credentials.in_body(body) == ""
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * len(body)


@pytest.mark.parametrize(
    ("said", "key"),
    [(b'"k"', "k"), (b'"\\u006b"', "k"), (b"7", ""), (b"null", ""), (b' ["k"]', ""), (b'"\\ud800"', "")],
)
def test_the_key_of_a_body_is_its_text(said: bytes, key: str) -> None:
    assert credentials.in_body(b'{"writeKey": %s, "batch": []}' % said) == key


@pytest.mark.parametrize("length", ["0" * 5000 + "2", "2"])
async def test_zeros_before_a_length_say_nothing(length: str) -> None:
    async with running(InMemoryLog()) as gateway:
        headers = {**basic(KEY.text), "content-length": length}
        reply = await gateway.ask("POST", "/v1/batch", b"{}", headers, with_length=False)
    assert reply is not None
    assert reply.status == 200


async def test_strangers_who_only_announce_a_body_take_no_room() -> None:
    keyed = batch({**GOOD, "properties": {"filling": "x" * 900_000}}, writeKey=KEY.text)
    async with running(InMemoryLog(), in_flight_bytes=4 * MEGABYTE) as gateway:
        stalled = [asyncio.create_task(_stall(gateway, MEGABYTE)) for _ in range(100)]
        await asyncio.sleep(0)
        reply = await gateway.ask("POST", "/v1/batch", keyed)
        assert reply is not None
        assert reply.status == 200
        for task in stalled:
            task.cancel()
        await asyncio.wait(stalled)
        assert gateway.gateway.in_flight == 0


async def _stall(gateway: Running, announced: int) -> None:
    """Say how long a body will be, and nothing of it."""

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nobody ends the wait")

    async def send(_message: Any) -> None:
        raise AssertionError("there is nothing to answer")

    headers = [(b"content-length", str(announced).encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/batch", "query_string": b"", "headers": headers}
    await gateway.gateway(scope, receive, send)


class _Run(list[tuple[Message, Headers]]):
    """A run whose end can be seen."""


async def test_what_nobody_waits_for_any_more_is_not_held_until_kafka_is_there() -> None:
    log = InMemoryLog()
    log.open.clear()
    appender = Appender(log, LANES, NullFailpoints())
    work = asyncio.create_task(appender.run())
    waiting = [asyncio.create_task(appender.append([(Message(b"", b"x", []), [])], MEGABYTE)) for _ in range(LANES)]
    await _settled()
    run = _Run([(Message(b"", b"x", []), [])])
    held = weakref.ref(run)
    given_up = asyncio.create_task(appender.append(run, MEGABYTE))
    del run
    await _settled()
    given_up.cancel()
    await asyncio.wait({given_up})
    del given_up
    assert held() is None
    log.open.set()
    await asyncio.wait(waiting)
    assert len(log.written) == LANES
    work.cancel()
    await asyncio.wait({work})


async def _settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_request_with_more_events_than_are_taken_does_not_lock_its_source_out_for_hours() -> None:
    async with running(InMemoryLog(), Source("shop", "web", rate=1000, burst=1000)) as gateway:
        assert (await gateway.post("/v1/batch", b'{"batch":[%s{}]}' % (b"{}," * 500_000))).status == 200
        reply = await gateway.post("/v1/batch", batch(GOOD))
        assert reply.status == 429
        assert int(reply.headers["retry-after"]) <= 20


async def test_the_loop_turns_while_a_large_request_is_worked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, begun, answered = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    turned: list[bool] = []

    def slow(*arguments: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        # Another request is answered meanwhile, which it never is if the loop waits for this one.
        turned.append(answered.wait(20.0))
        return read(*arguments)

    monkeypatch.setattr(reception, "read", slow)
    event = {"type": "alias", "userId": "u", "previousId": "v", "messageId": "m", "context": {"a": "x" * 1000}}
    async with running(InMemoryLog()) as gateway:
        large = asyncio.create_task(gateway.post("/v1/batch", batch(*[event] * 100)))
        await begun.wait()
        assert (await gateway.post("/v1/batch", batch(GOOD))).json["accepted"] == 1
        answered.set()
        assert (await large).json == {"success": True, "accepted": 100, "quarantined": 0}
    assert turned == [True]
