"""The JSON Schemas of what is on our topics: a file a topic, a type with a payload of its own, a family of events."""

import inspect
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.contracts.catalogue import Family
from shared.contracts.payloads import PAYLOADS
from shared.contracts.topics import REGISTRY, Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MESSAGES, PAYLOAD_FILES = "messages", "payloads"
"""Folders beside the reference pages."""


def message_schema(topic: Topic) -> dict[str, Any] | None:
    """Describe the value of a topic's messages; nothing for a topic whose messages others shape.

    Members that are not listed are allowed everywhere: a later version may add some.
    """
    return None if topic.payload is None else _schema(topic.name, topic.payload)


def schema_name(topic: Topic, kind: str) -> str:
    """Name the file, below the reference pages, with the schema of a topic's messages of a type."""
    return f"{MESSAGES}/{kind if kind in dict(topic.others) else topic.name}.json"


def payload_schema(family: Family) -> dict[str, Any] | None:
    """Describe the member `payload` of an event of a family; nothing for one that may have any."""
    kind = PAYLOADS.get(family)
    return None if kind is None else _schema(str(family), kind)


def schema_files() -> dict[str, dict[str, Any]]:
    """Make every schema, by its file's name below the reference pages."""
    messages = ((f"{MESSAGES}/{topic.name}.json", message_schema(topic)) for topic in REGISTRY)
    others = ((schema_name(topic, kind), _schema(kind, own)) for topic in REGISTRY for kind, own in topic.others)
    payloads = ((f"{PAYLOAD_FILES}/{family}.json", payload_schema(family)) for family in Family)
    return {name: schema for name, schema in (*messages, *others, *payloads) if schema is not None}


def types_of(name: str) -> tuple[str, ...]:
    """Return the message types whose schema is in a file."""
    files = {f"{MESSAGES}/{topic.name}.json": topic.types for topic in REGISTRY}
    files |= {schema_name(topic, kind): (kind,) for topic in REGISTRY for kind, _ in topic.others}
    return files.get(name, ())


def written(document: Mapping[str, Any]) -> str:
    """Write a document as its file has it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _schema(title: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    # As JSON has it: a default that is a tuple is an array there.
    schema: dict[str, Any] = _tidy(msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(kind))))
    return {"$schema": DIALECT, "title": title, **schema}


def _tidy(part: Any) -> Any:
    """Take the indentation of the code out of what docstrings say."""
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: inspect.cleandoc(value) if name == "description" and isinstance(value, str) else _tidy(value)
        for name, value in part.items()
    }
