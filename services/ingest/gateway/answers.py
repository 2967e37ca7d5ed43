"""What is answered: always a JSON object, or the picture that a pixel is."""

import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Scope = MutableMapping[str, Any]
HeaderPairs = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")
GIF_BYTES = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00"
    b"\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
ALLOWED_METHODS = b"GET, HEAD, POST, OPTIONS"
# RudderStack's browser SDK says with each attempt but the first how often and since when it tries.
ALLOWED_HEADERS = (
    b"authorization, content-type, content-encoding, x-retry-count, x-write-key, anonymousid, sentat, rsa-recovered, "
    b"rsa-retry-attempt, rsa-retry-reason, rsa-since-first-attempt, rsa-since-last-attempt"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, body, and the headers beside its length."""

    status: int
    body: bytes
    headers: HeaderPairs = (JSON,)


def written(accepted: int, quarantined: int) -> Answer:
    """Say that everything is on Kafka, and what of it is good."""
    return Answer(200, b'{"success":true,"accepted":%d,"quarantined":%d}' % (accepted, quarantined))


def document(content: object) -> Answer:
    """Answer with a JSON object."""
    return Answer(200, msgspec.json.encode(content), (JSON, (b"cache-control", b"no-store")))


def refused(status: int, code: str, message: str, *, retry_after: float | None = None) -> Answer:
    """Say why nothing was stored; `retry_after` seconds are told as whole ones, at least one."""
    body = msgspec.json.encode({"success": False, "code": code, "message": message})
    if retry_after is None:
        return Answer(status, body)
    seconds = str(max(1, math.ceil(retry_after))).encode()
    return Answer(status, body, (JSON, (b"retry-after", seconds)))


GIF = Answer(200, GIF_BYTES, ((b"content-type", b"image/gif"), (b"cache-control", b"no-store")))
OK = Answer(200, b'{"success":true}')
PREFLIGHT = Answer(
    204,
    b"",
    (
        (b"access-control-allow-methods", ALLOWED_METHODS),
        (b"access-control-allow-headers", ALLOWED_HEADERS),
        (b"access-control-max-age", b"86400"),
    ),
)


async def say(answer: Answer, send: Send, origin: bytes | None) -> None:
    """Send an answer; a browser's page may read it wherever it comes from, for the key is what protects."""
    headers = [*answer.headers]
    if answer.status != PREFLIGHT.status:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if origin is not None:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"origin"),
        ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
