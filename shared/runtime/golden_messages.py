"""The golden messages of a checkout, as examples: each with the headers that publishing adds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts.topics import Kind, Topic

TYPE = "ce_type"
_INCARNATION, _SEQUENCE = ("ce_incarnation", "1"), ("ce_sequence", "1")


@dataclass(frozen=True, slots=True)
class Example:
    """One message as a reader gets it; `payload` is the decoded value, null for a tombstone."""

    type: str
    key: str
    headers: Mapping[str, str]
    payload: Any


def golden_messages(folder: Path, registry: Sequence[Topic]) -> list[Example]:
    """Read the file of each topic that has one; a topic without messages of ours has none.

    Raises:
        FileNotFoundError: a topic with a payload has no file.
    """
    found = []
    for topic in registry:
        if topic.payload is not None:
            document = json.loads((folder / f"{topic.name}.json").read_text("utf-8"))
            found += [_example(message, topic.kind) for message in _messages(document)]
    return found


def _messages(document: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, dict) and "value" in document:
        yield document
        return
    for item in document if isinstance(document, list) else document.values():
        yield from _messages(item)


def _example(message: Mapping[str, Any], kind: Kind) -> Example:
    headers = dict(message["headers"])
    headers |= dict([_INCARNATION] if kind is Kind.STATE else [_INCARNATION, _SEQUENCE])
    value = message["value"]
    return Example(headers[TYPE], message["key"], headers, None if value is None else json.loads(value))
