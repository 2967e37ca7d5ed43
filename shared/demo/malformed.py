"""Seven records that no consumer could use, each broken in its own way, and what ingest must say of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record as a broken system would send it, and the stage, reason and path that its quarantine entry must have."""

    name: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    stage: str
    reason: str
    path: str


_SHOP = (("source", b"web-shop"),)
_CLOUDEVENT = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)

_TRUNCATED = b'{"type": "track", "event": "Order Completed", "userId": "1", "properties": {"total": 29.3'
_TEXT_TOTAL = (
    b'{"type": "track", "event": "Order Completed", "messageId": "malformed-total", "userId": "1", '
    b'"timestamp": "2026-01-02T12:00:00Z", "properties": {"order_id": "m-1", "total": "a lot", "currency": "USD"}}'
)
_NOBODY = (
    b'{"type": "track", "event": "Product Viewed", "messageId": "malformed-nobody", "userId": null, "anonymousId": ""}'
)
_NAMELESS = b'{"type": "track", "messageId": "malformed-nameless", "userId": "1", "properties": {"total": 12.5}}'
_NO_OFFSET = (
    b'{"type": "track", "event": "Order Completed", "messageId": "malformed-time", "userId": "1", '
    b'"timestamp": "2026-01-02T12:00:00", "properties": {"total": 12.5}}'
)
_NO_ID = (
    b'{"specversion": "1.0", "source": "/erp/orders", "type": "Order Completed", "subject": "1", '
    b'"time": "2026-01-02T12:00:00Z", "data": {"total": 12.5}}'
)
_LATIN_1 = (
    '{"type": "identify", "messageId": "malformed-text", "userId": "1", "traits": {"city": "Graz-Gösting"}}'.encode(
        "latin-1"
    )
)

MALFORMED: tuple[Malformed, ...] = (
    Malformed("cut off in the middle", _TRUNCATED, _SHOP, "parse", "not_json", ""),
    Malformed("a total in words", _TEXT_TOTAL, _SHOP, "payload", "not_a_number", "/properties/total"),
    Malformed("about nobody", _NOBODY, _SHOP, "identity", "no_identity", "/userId"),
    Malformed("an event without a name", _NAMELESS, _SHOP, "envelope", "missing", "/event"),
    Malformed("a time that may be anywhere within a day", _NO_OFFSET, _SHOP, "envelope", "no_offset", "/timestamp"),
    Malformed("a CloudEvent without an id", _NO_ID, _CLOUDEVENT, "envelope", "missing", "/id"),
    Malformed("text in another encoding", _LATIN_1, _SHOP, "parse", "not_utf8", ""),
)
"""The records, in the order in which the demo sends them."""
