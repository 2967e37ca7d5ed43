"""Bodies that anybody may post: what is wrong is refused by itself, and costs neither others nor much memory."""

import gzip
import json
import secrets
import zlib
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sockets import Answer, ask, opened, post, receive, send
from tests.integration.services.ingest.wire.topic import accepted, refused

LIMIT = 4_000_000
GZIP = ("Content-Encoding", "gzip")


def said(wire: Wire, body: bytes, *headers: tuple[str, str], path: str = "/v1/batch") -> Answer:
    return ask(wire.gateway.port, post(path, body, ("X-Write-Key", wire.key), *headers))


def call(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Mug Broken", "userId": "u-1", "messageId": secrets.token_hex(12), **fields}


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """Compress a gigabyte of blanks into a megabyte; its end is missing, which whoever gets that far deserves."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    blanks = b" " * (1 << 20)
    first, again = (stream.compress(blanks) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 1023


BAD: dict[str, tuple[bytes, tuple[str, str]]] = {
    "33 KB": (written(call(properties={"note": "x" * 33_000})), ("limits", "too_large")),
    "no UTF-8": (b'{"type": "track", "event": "X", "userId": "\xff\xfe"}', ("parse", "not_utf8")),
    "NaN": (b'{"type": "track", "event": "X", "userId": "u", "properties": {"n": NaN}}', ("payload", "not_a_number")),
    "a lone surrogate": (b'{"type": "track", "event": "\\ud800", "userId": "u"}', ("parse", "not_json")),
    "depth of 100,000": (
        b'{"type": "track", "event": "X", "userId": "u", "a": %s1%s}' % (b"[" * 100_000, b"]" * 100_000),
        ("limits", "too_large"),
    ),
    "depth of 10,000": (
        b'{"type": "track", "event": "X", "userId": "u", "a": %s1%s}' % (b"[" * 10_000, b"]" * 10_000),
        ("limits", "too_deep"),
    ),
    "a number out of range": (
        b'{"type": "track", "event": "X", "userId": "u", "properties": {"n": 1e400}}',
        ("payload", "out_of_range"),
    ),
    "no time": (written(call(timestamp="yesterday")), ("envelope", "not_a_time")),
    "a time without offset": (written(call(timestamp="2026-11-22T09:30:00")), ("envelope", "no_offset")),
    "not an object": (b"7", ("envelope", "wrong_type")),
    "null": (b"null", ("envelope", "wrong_type")),
    "a string": (b'"track"', ("envelope", "wrong_type")),
    "another batch": (b'{"batch": [{"type": "track"}]}', ("envelope", "missing")),
    "nobody": (written(call(userId=None)), ("identity", "no_identity")),
    "a control character": (written(call(userId="u\x00")), ("identity", "bad_character")),
    "an id too long": (written(call(messageId="m" * 101)), ("limits", "too_long")),
    "money that is none": (
        written(call(event="Order Completed", properties={"total": "a lot"})),
        ("payload", "not_a_number"),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_event_is_refused_by_itself_and_its_neighbours_arrive(wire: Wire, name: str) -> None:
    bad, expected = BAD[name]
    before, after = call(), call()
    wire.topic.mark()
    answer = said(wire, b'{"batch": [%s, %s, %s]}' % (written(before), bad, written(after)))
    assert (answer.status, answer.said) == (200, {"success": True, "accepted": 2, "quarantined": 1})
    readings = wire.topic.readings()
    assert [one.message_id for one in accepted(readings)] == [before["messageId"], after["messageId"]]
    (found,) = refused(readings)
    assert (found.problem.stage.value, found.problem.reason.value) == expected


@pytest.mark.parametrize("name", set(BAD) - {"another batch"})
def test_a_bad_event_alone_is_stored_and_the_sender_is_told(wire: Wire, name: str) -> None:
    wire.topic.mark()
    answer = said(wire, BAD[name][0], path="/v1/track")
    if answer.status == 200:
        assert answer.said == {"success": True, "accepted": 0, "quarantined": 1}
        assert isinstance(wire.topic.readings()[0], Refused)
    else:
        assert (answer.status, answer.said["code"]) == (400, "not_json")
        assert wire.topic.readings() == []


@pytest.mark.parametrize("at", ["1066-10-14T09:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_time_far_off_never_costs_the_request(wire: Wire, at: str) -> None:
    good = call()
    wire.topic.mark()
    answer = said(wire, written({"batch": [call(timestamp=at), good], "sentAt": at}))
    assert answer.status == 200
    assert answer.said["accepted"] + answer.said["quarantined"] == 2
    assert good["messageId"] in wire.topic.by_id()


def test_a_member_that_is_said_twice_costs_no_neighbour(wire: Wire) -> None:
    good = call()
    twice = (
        b'{"type": "track", "event": "X", "userId": "a", "userId": "b", "messageId": "%s"}'
        % secrets.token_hex(9).encode()
    )
    wire.topic.mark()
    answer = said(wire, b'{"batch": [%s, %s], "batch": [%s]}' % (twice, written(good), written(good)))
    assert answer.status == 200
    assert good["messageId"] in wire.topic.by_id()


def test_ten_thousand_events_arrive_each_once(wire: Wire) -> None:
    calls = [call() for _ in range(10_000)]
    wire.topic.mark()
    body = written({"batch": calls})
    assert len(body) < LIMIT
    answer = said(wire, body)
    assert (answer.status, answer.said) == (200, {"success": True, "accepted": 10_000, "quarantined": 0})
    found = wire.topic.by_id()
    assert {message_id: len(readings) for message_id, readings in found.items()} == {
        one["messageId"]: 1 for one in calls
    }


def test_a_body_of_just_the_limit_arrives_and_one_byte_more_is_refused(wire: Wire) -> None:
    calls = [call(properties={"note": "x" * 30_000}) for _ in range(130)]
    body = written({"batch": calls})
    body += b" " * (LIMIT - len(body))
    wire.topic.mark()
    answer = said(wire, body)
    assert (answer.status, answer.said["accepted"]) == (200, 130)
    assert len(wire.topic.by_id()) == 130
    check_too_large(said(wire, body + b" "), 413)
    check_too_large(said(wire, gzip.compress(body + b" "), GZIP), 413)
    assert said(wire, gzip.compress(body), GZIP).said["accepted"] == 130


def check_too_large(answer: Answer, status: int) -> None:
    assert (answer.status, answer.said["code"], answer.said["success"]) == (status, "too_large", False)
    assert isinstance(answer.said["message"], str)


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/batch", 413), ("/v1/track", 413), ("/com.snowplowanalytics.snowplow/tp2", 400)]
)
def test_a_body_that_is_larger_once_inflated_is_refused_and_takes_no_memory(
    wire: Wire, bomb: bytes, path: str, status: int
) -> None:
    before = wire.gateway.memory()
    for headers in ([GZIP], []):
        check_too_large(said(wire, bomb, *headers, path=path), status)
    check_too_large(said(wire, gzip.compress(bomb), GZIP, path=path), status)
    assert wire.gateway.memory() - before < 60_000_000
    assert said(wire, written(call()), path="/v1/track").said["accepted"] == 1


@pytest.mark.parametrize(("path", "status"), [("/v1/batch", 413), ("/com.snowplowanalytics.snowplow/tp2", 400)])
def test_what_says_that_it_is_too_large_is_refused_before_it_is_sent(wire: Wire, path: str, status: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-Write-Key: {wire.key}\r\nContent-Length: {1 << 40}\r\n\r\n"
    check_too_large(ask(wire.gateway.port, head.encode()), status)


def test_chunks_without_end_are_refused_at_the_limit(wire: Wire) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: {wire.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with opened(wire.gateway.port) as client:
        send(client, head.encode())
        for _ in range(LIMIT // 100_000 + 1):
            send(client, b"186a0\r\n" + b" " * 100_000 + b"\r\n")
        check_too_large(receive(client), 413)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", ()),
        (b"hello", ()),
        (b"{", ()),
        (b'{"batch": [', ()),
        (b"\x1f\x8b\x08\x00broken", (GZIP,)),
        (gzip.compress(b'{"batch": []}')[:-12], (GZIP,)),
        (b"userId=u-1&type=track", (("Content-Type", "application/x-www-form-urlencoded"),)),
    ],
)
def test_what_is_no_json_is_refused_in_words(wire: Wire, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    wire.topic.mark()
    answer = said(wire, body, *headers)
    assert answer.status == 400
    assert answer.said["success"] is False
    assert all(isinstance(answer.said[name], str) for name in ("code", "message"))
    assert wire.topic.records() == []


@pytest.mark.parametrize("key", ["", "rk_aaaaaaaa_" + "A" * 43, "x" * 10_000, "\xff\xfe", '"', "rk_"])
def test_an_unknown_key_is_refused_in_words_and_writes_nothing(wire: Wire, key: str) -> None:
    wire.topic.mark()
    answer = ask(wire.gateway.port, post("/v1/track", written(call()), ("X-Write-Key", key)))
    assert (answer.status, answer.said["code"], answer.said["success"]) == (401, "unknown_key", False)
    assert wire.topic.records() == []
