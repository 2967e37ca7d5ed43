"""What AsyncAPI is told of our messages: headers of CloudEvents, a payload by its schema, the key, golden examples."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.catalogue import Family
from shared.contracts.payloads import PAYLOADS
from shared.contracts.topics import Kind, Topic
from shared.runtime.golden_messages import Example
from shared.runtime.message_schemas import PAYLOAD_FILES, schema_name

Document = dict[str, Any]

BINDING = "0.5.0"
RAW_EVENT, DEAD_LETTER = "raw-event", "dead-letter"

_TEXT = {"type": "string"}
_NUMBER = {"type": "string", "pattern": r"^\d{1,18}$"}
_TIME = {"type": "string", "format": "date-time"}
_BY_FAMILY = "payload-by-family"
_CLOUDEVENT = {
    "type": "object",
    "description": "The attributes of CloudEvents 1.0, binary mode. None holds personal data.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "minLength": 1, "description": "The same in each copy of a message."},
        "ce_source": _TEXT,
        "ce_type": _TEXT,
        "ce_time": _TIME,
        "ce_subject": {"type": "string", "description": "Whom it is about: an id that says nothing."},
        "crm_accepted_at": {**_TIME, "description": "When the raw event was received that led to this."},
    },
}
_SEQUENCED = {
    "type": "object",
    "description": "Gap-free per partition: a smaller number in (incarnation, sequence) is a repeat.",
    "required": ["ce_incarnation", "ce_sequence"],
    "properties": {"ce_incarnation": _NUMBER, "ce_sequence": _NUMBER},
}
_VERSIONED = {
    "type": "object",
    "description": "Apply only what is greater in (incarnation, version) than what the key has.",
    "required": ["ce_incarnation", "ce_version"],
    "properties": {"ce_incarnation": _NUMBER, "ce_version": _NUMBER},
}
_RAW_HEADERS = {
    "type": "object",
    "description": "All are optional. Attributes of CloudEvents in binary mode may be there, too (`ce_…`).",
    "properties": {
        "source": {"type": "string", "description": "Who sends: the name of a source; a CloudEvent says it itself."},
        "content-type": {
            "type": "string",
            "description": "`application/cloudevents+json` for a CloudEvent in structured mode, "
            "`application/vnd.snowplow+json` for Snowplow's payload_data, else Segment's shape.",
        },
        "received_at": {
            **_TIME,
            "description": "When the gateway received it; without it the topic's own time counts.",
        },
        "crm_type": {"type": "string", "description": "The call's type by its address; it wins over the body's."},
        "crm_replay": {"type": "string", "description": "The quarantined event that this is, mended."},
        "crm_message_id": {"type": "string", "description": "The message id of a replayed event that has none."},
    },
}
_DEAD_HEADERS = {
    "type": "object",
    "description": "The headers of the record that it stood in, and why it was refused.",
    "required": ["crm_stage", "crm_reason", "crm_path", "crm_topic", "crm_partition", "crm_offset", "crm_index"],
    "properties": {
        "crm_stage": {"type": "string", "description": "How far it came."},
        "crm_reason": {"type": "string", "description": "One word, also a label of `crm_dead_letters_total`."},
        "crm_path": {"type": "string", "description": "Where in the event: a JSON pointer."},
        "crm_expected": _TEXT,
        "crm_found": {"type": "string", "description": "What kind of thing was there; never the value."},
        "crm_topic": _TEXT,
        "crm_partition": _NUMBER,
        "crm_offset": _NUMBER,
        "crm_index": {**_NUMBER, "description": "Its place in the record."},
        "crm_left_out": {"type": "string", "description": "What would have made the record too large."},
    },
}
_RAW_EXAMPLES: tuple[Document, ...] = (
    {
        "name": "a call of Segment's SDKs",
        "headers": {"source": "web-shop"},
        "payload": {
            "type": "track",
            "event": "Order Completed",
            "messageId": "01a20297-52a2-7abc-8def-000000000001",
            "userId": "u-17",
            "timestamp": "2026-11-22T09:30:01.250Z",
            "properties": {"order_id": "o-900", "total": 35.5, "currency": "EUR"},
        },
    },
    {
        "name": "a CloudEvent in structured mode",
        "headers": {"content-type": "application/cloudevents+json"},
        "payload": {
            "specversion": "1.0",
            "id": "i-4711",
            "source": "billing",
            "type": "Trial Started",
            "time": "2026-11-22T09:30:01.250Z",
            "subject": "u-17",
            "data": {"plan": "team"},
        },
    },
)


def schemas() -> Document:
    """Describe what messages share: kinds of headers, and the payload that each family of events has."""
    known = sorted(PAYLOADS)
    return {
        "cloudevent": _CLOUDEVENT,
        Kind.SEQUENCED_LOG.value: _SEQUENCED,
        Kind.STATE.value: _VERSIONED,
        _BY_FAMILY: {
            "description": "The family tells what the payload is; members that are not listed may follow.",
            "allOf": [_when(family) for family in known],
        },
    }


def messages(topic: Topic, examples: Iterable[Example]) -> Document:
    """Describe the messages of a topic by their types."""
    if topic.kind is Kind.RAW:
        return {RAW_EVENT: _raw(topic)}
    if topic.payload is None:
        return {DEAD_LETTER: _dead(topic)}
    listed = list(examples)
    return {
        kind: _message(topic, kind, [example for example in listed if example.type == kind])
        for kind in topic.every_type
    }


def _message(topic: Topic, kind: str, examples: list[Example]) -> Document:
    described: Document = {
        "name": kind,
        "title": kind.rpartition(".v")[0].replace(".", " ").replace("-", " ").capitalize(),
        "contentType": "application/json",
        "headers": _headers(topic, kind),
        "payload": {"type": "null"} if kind in topic.tombstones else _payload(topic, kind),
        "bindings": _key(topic),
    }
    if kind in topic.tombstones:
        described["description"] = "A tombstone: the key is gone."
    if examples:
        described["examples"] = [
            {"name": f"{kind} {number}", "headers": dict(example.headers), "payload": example.payload}
            for number, example in enumerate(examples, 1)
        ]
    return described


def _headers(topic: Topic, kind: str) -> Document:
    own = {"ce_type": {"const": kind}, "ce_source": {"enum": [f"rapport/{name}" for name in topic.producers]}}
    kinds = ["cloudevent", *([topic.kind.value] if topic.kind in {Kind.STATE, Kind.SEQUENCED_LOG} else [])]
    references = [{"$ref": f"#/components/schemas/{name}"} for name in kinds]
    return {"type": "object", "allOf": references, "properties": own}


def _payload(topic: Topic, kind: str) -> Document:
    message = {"$ref": f"./{schema_name(topic, kind)}"}
    members = getattr(topic.payload_of(kind), "__struct_fields__", ())
    if "family" in members and "payload" in members:
        return {"allOf": [message, {"$ref": f"#/components/schemas/{_BY_FAMILY}"}]}
    return message


def _when(family: Family) -> Document:
    return {
        "if": {"properties": {"family": {"const": str(family)}}, "required": ["family"]},
        "then": {"properties": {"payload": {"$ref": f"./{PAYLOAD_FILES}/{family}.json"}}},
    }


def _raw(topic: Topic) -> Document:
    return {
        "name": RAW_EVENT,
        "title": "Raw event",
        "description": "Anything; what cannot be read is quarantined by itself. One record may hold a batch.",
        "headers": _RAW_HEADERS,
        "payload": {"description": "A CloudEvent, a call of Segment's shape or a batch of them, Snowplow's document."},
        "bindings": _key(topic),
        "examples": list(_RAW_EXAMPLES),
    }


def _dead(topic: Topic) -> Document:
    return {
        "name": DEAD_LETTER,
        "title": "Dead letter",
        "contentType": "application/octet-stream",
        "description": "An event that was refused, in its own bytes.",
        "headers": _DEAD_HEADERS,
        "payload": {"description": "The bytes as they came, be they JSON or not."},
        "bindings": _key(topic),
    }


def _key(topic: Topic) -> Mapping[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": BINDING}}
