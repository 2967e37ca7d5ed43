"""What the gateway's OpenAPI document says again and again: posted events, answers, and where a key goes."""

from typing import Any

from services.ingest.domain.posts import MOST_EVENTS
from services.ingest.domain.shapes.items import LARGEST_EVENT
from services.ingest.gateway.settings import LARGEST_REQUEST

Part = dict[str, Any]

_TEXT: Part = {"type": "string"}
_ID: Part = {"type": ["string", "null"], "description": "null, an empty text and absence are the same."}
_TIME: Part = {"type": "string", "format": "date-time"}
_OBJECT: Part = {"type": "object"}

_CALL: Part = {
    "type": "object",
    "description": (
        "One call in the shape of Segment's SDKs; it needs `userId` or `anonymousId`. Further members are kept. "
        f"At most {LARGEST_EVENT} bytes. What is wrong with it puts this call into the quarantine and no other."
    ),
    "properties": {
        "messageId": {
            "type": "string",
            "maxLength": 100,
            "description": "Two events with one id are one. Without it the gateway gives one.",
        },
        "userId": _ID,
        "anonymousId": _ID,
        "timestamp": _TIME,
        "originalTimestamp": {**_TIME, "description": "When it happened, by the sender's clock."},
        "sentAt": {
            **_TIME,
            "description": "When it was sent, by the same clock: the difference sets that clock right.",
        },
        "context": {**_OBJECT, "description": "locale, timezone, page, campaign, traits, externalIds …"},
        "integrations": _OBJECT,
    },
}
_OWN: dict[str, tuple[Part, list[str]]] = {
    "identify": ({"traits": {**_OBJECT, "description": "What is known of somebody; null unsets a trait."}}, []),
    "track": (
        {"event": {**_TEXT, "description": "Its name, such as `Order Completed`."}, "properties": _OBJECT},
        ["event"],
    ),
    "page": ({"name": _TEXT, "category": _TEXT, "properties": _OBJECT}, []),
    "screen": ({"name": _TEXT, "category": _TEXT, "properties": _OBJECT}, []),
    "group": ({"groupId": _TEXT, "traits": _OBJECT}, ["groupId"]),
    "alias": ({"previousId": _TEXT, "userId": _TEXT}, ["previousId", "userId"]),
}
_SHOWN: dict[str, Part] = {
    "identify": {"userId": "u-17", "traits": {"email": "eva@example.com"}},
    "track": {
        "userId": "u-17",
        "messageId": "01a20297-52a2-7abc-8def-000000000001",
        "event": "Order Completed",
        "properties": {"order_id": "o-900", "total": 35.5, "currency": "EUR"},
    },
    "page": {"anonymousId": "an-7", "name": "Home", "properties": {"url": "https://shop.example/"}},
    "screen": {"anonymousId": "an-7", "name": "Home"},
    "group": {"userId": "u-17", "groupId": "acme", "traits": {"name": "Acme"}},
    "alias": {"userId": "u-17", "previousId": "an-7"},
}
_BATCH: Part = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {
            "type": "array",
            "maxItems": MOST_EVENTS,
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"enum": list(_OWN)}},
                "oneOf": [
                    {"allOf": [{"$ref": f"#/components/schemas/{kind}"}, {"properties": {"type": {"const": kind}}}]}
                    for kind in _OWN
                ],
            },
        },
        "context": {**_OBJECT, "description": "Of every event that does not say otherwise."},
        "integrations": _OBJECT,
        "sentAt": _TIME,
        "writeKey": {**_TEXT, "description": "The key, for senders that can put it nowhere else."},
    },
}
_SNOWPLOW: Part = {
    "type": "object",
    "required": ["schema", "data"],
    "properties": {
        "schema": {
            "type": "string",
            "description": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
        },
        "data": {
            "type": "array",
            "description": "Events as pairs of Snowplow's tracker protocol.",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
_COUNTED: Part = {
    "type": "object",
    "required": ["success", "accepted", "quarantined"],
    "properties": {
        "success": {"const": True},
        "accepted": {"type": "integer", "minimum": 0, "description": "Events that will become interactions."},
        "quarantined": {"type": "integer", "minimum": 0, "description": "Events that cannot be read; kept, not lost."},
    },
}
_ERROR: Part = {
    "type": "object",
    "required": ["success", "code", "message"],
    "properties": {"success": {"const": False}, "code": _TEXT, "message": _TEXT},
}

BATCH_SHOWN: Part = {"batch": [{"type": kind, **shown} for kind, shown in _SHOWN.items()]}
SNOWPLOW_SHOWN: Part = {
    "schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
    "data": [{"e": "pv", "url": "https://shop.example/", "uid": "u-17", "eid": "5f9d9f4e-0c1c-4a39-9c5c-6f0f0e0b7a01"}],
}

SECURITY: list[Part] = [{"basic": []}, {"bearer": []}, {"header": []}, {"query": []}, {}]
"""A write key in any of these places; the last is none of them: the key is in the body or in the address."""

COMPONENTS: Part = {
    "schemas": {
        **{
            kind: {
                "allOf": [
                    {"$ref": "#/components/schemas/call"},
                    {"type": "object", "properties": own, **({"required": needed} if needed else {})},
                ]
            }
            for kind, (own, needed) in _OWN.items()
        },
        "call": _CALL,
        "batch": _BATCH,
        "snowplow": _SNOWPLOW,
        "counted": _COUNTED,
        "done": {"type": "object", "required": ["success"], "properties": {"success": {"const": True}}},
        "error": _ERROR,
    },
    "securitySchemes": {
        "basic": {"type": "http", "scheme": "basic", "description": "The key as user name, no password."},
        "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
        "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
        "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
    },
}


def body(kind: str) -> Part:
    """Describe what is posted: a batch, Snowplow's document, or a call of one type."""
    shown = {"batch": BATCH_SHOWN, "snowplow": SNOWPLOW_SHOWN}.get(kind) or _SHOWN[kind]
    media = {"schema": {"$ref": f"#/components/schemas/{kind}"}, "example": shown}
    return {
        "required": True,
        "description": (
            f"JSON, whatever the content type says, at most {LARGEST_REQUEST} bytes, as it is sent and inflated; gzip, "
            "deflate, brotli and zstd are understood."
        ),
        "content": {"application/json": media, "text/plain": media, "application/x-www-form-urlencoded": media},
    }


def json_answer(description: str, schema: Part) -> Part:
    """Describe an answer that is a JSON object."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def picture(description: str) -> Part:
    """Describe an answer that is a picture of one point."""
    return {"description": description, "content": {"image/gif": {}}}


def refusal(codes: dict[str, str], *, again: bool) -> Part:
    """Describe an answer that nothing was stored, by codes and their meanings; `again` tells to send it again."""
    of = {"allOf": [{"$ref": "#/components/schemas/error"}, {"properties": {"code": {"enum": list(codes)}}}]}
    described = json_answer("; ".join(f"`{code}`: {meaning}" for code, meaning in codes.items()) + ".", of)
    if again:
        described["headers"] = {
            "Retry-After": {"description": "Whole seconds.", "schema": {"type": "integer", "minimum": 1}}
        }
    return described
