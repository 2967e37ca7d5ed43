"""Laws of the gateway: whatever comes, no 5xx while Kafka is there, and no good event is lost beside a bad one."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.gateway.routes import EVENTS
from tests.property.services.ingest.strategies import calls, values
from tests.unit.services.ingest.gateway.gateways import KEY, InMemoryLog, Reply, Running, basic, running, told

SONG = "Song Played"

_names = st.sampled_from(
    ["authorization", "x-write-key", "content-encoding", "content-type", "content-length", "origin", "host", "x"]
)
_words = st.sampled_from(
    ["Basic", "Basic =", "Bearer ", "gzip", "br", "deflate", "zstd", "application/json", "-1", "7"]
)
headers = st.dictionaries(_names, _words | st.text(st.characters(max_codepoint=255), max_size=30), max_size=5)
paths = st.sampled_from(
    [*EVENTS, "/", "/i", "/v1/pixel/t", "/v1/m", "/sourceConfig", "/v1/projects/x/settings", "/s/x/i"]
)
methods = st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT"])

PACKINGS: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from([bytes, gzip.compress, zlib.compress])
JSON_TEXT = values.map(lambda value: json.dumps(value).encode())
# A member of an array, whatever is wrong inside it: its end can be found.
hostile = st.one_of(
    JSON_TEXT,
    calls.map(lambda call: json.dumps(call).encode()),
    st.sampled_from(
        [
            b'{"a":NaN}',
            b'{"a":"\xff\xfe"}',
            b'{"a":"\\ud800"}',
            b'{"a":1e999}',
            b'{"a":1,"a":2}',
            b'{"messageId":5}',
            b'{"a":"\n"}',
            b"{a:1}",
            b"nul",
            b"[" * 2_000 + b"]" * 2_000,
            b'{"type":"track","event":"\\u0000","userId":"u"}',
            b'{"batch":[]}',
            b'{"writeKey":"rk_"}',
        ]
    ),
)


def good(number: int) -> bytes:
    return json.dumps({"type": "track", "event": SONG, "userId": "u", "messageId": f"good-{number}"}).encode()


def with_gateway(law: Callable[[Running, InMemoryLog], Awaitable[None]]) -> None:
    async def run() -> None:
        log = InMemoryLog()
        async with running(log) as gateway:
            await law(gateway, log)

    asyncio.run(run())


def is_agreed(reply: Reply | None) -> bool:
    """Tell whether an answer has the form that every SDK can read."""
    if reply is None:
        return True
    if reply.status == 204 or reply.headers["content-type"] == "image/gif":
        return True
    found = reply.json
    if reply.status == 200:
        return isinstance(found, dict)
    return isinstance(found["code"], str) and isinstance(found["message"], str) and found["success"] is False


@given(methods, paths, st.binary(max_size=200) | JSON_TEXT, headers, st.text(st.characters(max_codepoint=255)))
def test_whatever_is_sent_is_answered_and_never_by_a_failure(
    method: str, path: str, body: bytes, said: dict[str, str], query: str
) -> None:
    async def law(gateway: Running, _log: InMemoryLog) -> None:
        for keyed in ({}, basic(KEY.text)):
            reply = await gateway.ask(method, path, body, {**said, **keyed}, query, with_length=False)
            assert is_agreed(reply)
            assert reply is None or reply.status < 500
            assert gateway.gateway.in_flight == 0

    with_gateway(law)


@given(st.lists(hostile, max_size=6), st.data())
def test_no_good_event_is_lost_beside_a_bad_one(members: list[bytes], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 3))
    texts = [*members]
    for index in range(number):
        texts.insert(data.draw(st.integers(0, len(texts))), good(index))
    body = b'{"batch":[' + b",".join(texts) + b"]}"
    pack = data.draw(PACKINGS)

    async def law(gateway: Running, log: InMemoryLog) -> None:
        reply = await gateway.post("/v1/batch", pack(body))
        assert reply.status == 200
        written = b"".join(message.value or b"" for message, _ in log.written)
        verdicts = told((message.value, headers) for message, headers in log.written)
        assert all(b'"good-%d"' % index in written for index in range(number))
        assert verdicts.count(SONG) == number
        assert reply.json["accepted"] + reply.json["quarantined"] == len(texts)
        assert reply.json["accepted"] == sum(not verdict.startswith("!") for verdict in verdicts)

    with_gateway(law)


@given(calls, st.sampled_from(["/v1/track", "/v1/identify", "/v1/batch"]))
def test_what_was_not_safe_has_the_same_ids_when_it_comes_again(call: dict[str, Any], path: str) -> None:
    timed = {**call, "timestamp": "2026-11-22T09:30:00Z"}
    body = json.dumps({"batch": [timed]} if path == "/v1/batch" else timed).encode()

    async def law(gateway: Running, log: InMemoryLog) -> None:
        first, second = await gateway.post(path, body), await gateway.post(path, body)
        assert (first.status, first.body) == (second.status, second.body)
        values = [message.value for message, _ in log.written]
        assert values[: len(values) // 2] == values[len(values) // 2 :]

    with_gateway(law)
