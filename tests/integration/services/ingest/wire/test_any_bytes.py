"""Laws of the wire, for any bytes: no answer is a failure of ours, and no good event is lost beside a bad one."""

import gzip
import json
import secrets
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sockets import Answer, ask, opened, post, receive, send
from tests.integration.services.ingest.wire.topic import accepted
from tests.property.services.ingest.strategies import calls, values, written

PATHS = (
    *(f"/v1/{kind}" for kind in ("identify", "track", "page", "screen", "group", "alias", "batch", "import")),
    *(f"/v1/{kind}" for kind in "itpsgab"),
    *("/beacon/v1/batch", "/com.snowplowanalytics.snowplow/tp2", "/i", "/v1/pixel/track", "/sourceConfig/"),
    *("/v1/projects/KEY/settings", "/s/KEY/v1/batch", "/s/KEY/i", "/", "/health", "//v1/batch/", "/v1/m", "/%2e%2e/x"),
)
# Mean a failure of ours; 503 would too, for Kafka is there all the time.
FAILURES = range(500, 600)

_tokens = st.text(string.ascii_letters + string.digits + "-_.!", min_size=1, max_size=20)
_texts = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
_names = st.sampled_from(
    ["Authorization", "Content-Type", "Content-Encoding", "Origin", "X-Write-Key", "Expect", "Accept", "Cookie", "Te"]
)
_values = st.sampled_from(
    ["gzip", "br", "deflate", "zstd", "identity", "Basic KEY", "Basic a", "Bearer KEY", "Basic", "100-continue"]
)
_around = st.sampled_from(["context", "integrations", "x"])
headers = st.lists(st.tuples(_names | _tokens, _values | _texts), max_size=6)
_queries = st.sampled_from(["", "?", "?writeKey=KEY", "?data=e30", "?e=pv&uid=u", "?%ff=%", "?" + "a&" * 200])
queries = _queries | _tokens.map("?data={}".format)
bodies = st.one_of(
    st.binary(max_size=300),
    calls.map(written),
    st.lists(calls | values, max_size=4).map(lambda items: written({"batch": items})),
    st.lists(calls | values, max_size=4).map(lambda items: written({"data": items})),
    values.map(written).map(gzip.compress),
    st.binary(max_size=60).map(lambda data: b"\x1f\x8b" + data),
)
everything = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def check_in_words(answer: Answer, method: str) -> None:
    """Check that an answer is one that no SDK stumbles over."""
    assert answer.status not in FAILURES, answer
    if method == "HEAD" or answer.status == 204 or answer.headers.get("content-type") == "image/gif":
        return
    said = answer.said
    assert isinstance(said, dict)
    if answer.status >= 400:
        assert all(isinstance(said[name], str) for name in ("code", "message"))
        assert said["success"] is False


@pytest.mark.timeout(170)
def test_whatever_is_asked_is_answered_in_words_and_never_by_a_failure(wire: Wire) -> None:
    statuses = set()

    @everything
    @given(
        method=st.sampled_from(["GET", *["POST"] * 4, "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]),
        path=st.sampled_from(PATHS[:17]) | st.sampled_from(PATHS) | _tokens.map("/{}".format),
        query=queries,
        said=headers,
        known=st.sampled_from([True, True, False]),
        body=bodies,
    )
    def asked(method: str, path: str, query: str, said: list[tuple[str, str]], known: bool, body: bytes) -> None:  # noqa: FBT001 - drawn
        lines = [f"{method} {path}{query} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in said if name.lower() not in NEVER]
        lines += ["X-Write-Key: KEY"] * known
        request = "\r\n".join([*lines, "", ""]).replace("KEY", wire.key).encode("latin-1") + body
        answer = ask(wire.gateway.port, request, method=method)
        statuses.add(answer.status)
        check_in_words(answer, method)

    asked()
    assert len(statuses & {200, 400, 401, 404, 405}) >= 3
    assert wire.gateway.is_alive()


NEVER = ("content-length", "transfer-encoding", "host", "connection", "upgrade")
"""Headers that say where a request ends; the next test has them."""


@pytest.mark.timeout(170)
def test_what_is_no_http_ends_its_own_connection_only(wire: Wire) -> None:
    pieces = st.sampled_from(
        [
            *(b"POST /v1/batch HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\n", b"\0", b" "),
            *(
                b"Content-Length: 5\r\n",
                b"Content-Length: -1\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"5\r\nhello\r\n",
            ),
            *(b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Upgrade: websocket\r\n"),
            *(b"\x16\x03\x01\x02\x00\x01\x00", b"HTTP/1.1 200 OK\r\n\r\n", b"Expect: 100-continue\r\n", b"{}"),
        ]
    )

    @everything
    @given(parts=st.lists(pieces | st.binary(max_size=40), max_size=8))
    def told(parts: list[bytes]) -> None:
        with opened(wire.gateway.port) as client:
            send(client, b"".join(parts))
            half_close(client)
            for status in statuses_of(client):
                assert status not in FAILURES

    told()
    assert ask(wire.gateway.port, post("/v1/track", written(good()), ("X-Write-Key", wire.key))).said["accepted"] == 1


def half_close(client: Any) -> None:
    """Say that no more is to come."""
    try:
        client.shutdown(1)
    except OSError:
        return


def statuses_of(client: Any) -> list[int]:
    """Read until the gateway hangs up, and return the status of each answer."""
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return [int(line[9:12]) for line in data.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def good(**fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Mug Broken", "userId": "u-1", "messageId": secrets.token_hex(12), **fields}


@pytest.mark.timeout(170)
def test_a_good_event_arrives_whatever_stands_beside_it(wire: Wire) -> None:
    sent: set[str] = set()
    scraps = st.one_of(
        calls.map(written),
        values.map(written),
        st.binary(max_size=40).map(lambda data: json.dumps(data.decode("latin-1")).encode("latin-1", "replace")),
        st.sampled_from([b'{"a": NaN}', b'"\\ud800"', b'{"a": "\xff"}', b"[" * 40 + b"]" * 40, b'{"a": 1e999}', b"-"]),
    )

    @everything
    @given(
        scraps=st.lists(scraps, max_size=4),
        place=st.integers(0, 4),
        around=st.dictionaries(
            st.sampled_from(["context", "integrations", "x"]), st.dictionaries(_tokens, st.integers())
        ),
        zipped=st.booleans(),
    )
    def posted(scraps: list[bytes], place: int, around: dict[str, Any], zipped: bool) -> None:  # noqa: FBT001 - drawn
        event = good()
        items = [*scraps[:place], written(event), *scraps[place:]]
        body = b'{"batch": [%s], %s' % (b", ".join(items), written({**around, "y": 1})[1:])
        answer = ask(
            wire.gateway.port,
            post("/v1/batch", gzip.compress(body) if zipped else body, ("X-Write-Key", wire.key)),
        )
        assert answer.status == 200, answer
        assert answer.said["accepted"] + answer.said["quarantined"] == len(items)
        sent.add(event["messageId"])

    wire.topic.mark()
    posted()
    arrived = {reading.message_id for reading in accepted(wire.topic.readings())}
    assert sent <= arrived
    assert len(sent) >= 100


def test_requests_in_one_piece_are_answered_in_their_order(wire: Wire) -> None:
    events = [good() for _ in range(5)]
    with opened(wire.gateway.port) as client:
        send(client, b"".join(post("/v1/track", written(event), ("X-Write-Key", wire.key)) for event in events))
        data = b""
        while data.count(b'"accepted":1') < len(events):
            part = client.recv(65536)
            assert part, data
            data += part
    assert {event["messageId"] for event in events} <= set(wire.topic.by_id())


def test_a_connection_is_kept_for_the_next_request_also_after_a_refusal(wire: Wire) -> None:
    with opened(wire.gateway.port) as client:
        for body, status in ((b"{", 400), (written(good()), 200), (b"hello", 400), (written(good()), 200)):
            send(client, post("/v1/track", body, ("X-Write-Key", wire.key)))
            assert receive(client).status == status
