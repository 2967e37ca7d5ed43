"""The AsyncAPI document is one by the official schema, and what it says of our messages is true of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from services.engagement.domain import announcement
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, read
from shared.contracts.interactions import Interaction
from shared.contracts.outreach import MessageState
from shared.contracts.topics import OUTREACH, RAW_EVENTS, REGISTRY, Kind, Topic
from shared.runtime.records import PlainRecord
from shared.runtime.reference import FOLDER

DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0.json")
BASE = "rapport:///reference/"
SERVICES = {"ingest", "profile", "segmenter", "engagement", "metrics"}
EXAMPLES = [(name, example) for name, message in MESSAGES.items() for example in message.get("examples", ())]


def problems(document: Any) -> list[str]:
    """Hold a document against the official schema."""
    validator = jsonschema_rs.validator_for(json.loads(OFFICIAL.read_text("utf-8")))
    return [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(document)]


def schema_at(pointer: str) -> jsonschema_rs.Validator:
    """Build a validator of a part of the document; its references lead to the files beside it."""
    registry = jsonschema_rs.Registry(
        [
            (f"{BASE}asyncapi.yaml", DOCUMENT),
            *(
                (BASE + path.relative_to(FOLDER).as_posix(), json.loads(path.read_text("utf-8")))
                for path in FOLDER.glob("*/*.json")
            ),
        ],
        draft=jsonschema_rs.Draft202012,
    )
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"{BASE}asyncapi.yaml#{pointer}"}, registry=registry, validate_formats=True, offline=True
    )


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from references(item)


def followed(reference: str) -> Any:
    """Read what a reference names: a part of the document, or a file."""
    file, _, pointer = reference.partition("#")
    found: Any = json.loads((FOLDER / file).read_text("utf-8")) if file else DOCUMENT
    for step in pointer.split("/")[1:]:
        found = found[step]
    return found


def test_the_document_is_asyncapi_by_its_official_schema() -> None:
    assert problems(DOCUMENT) == []


@pytest.mark.parametrize("spoilt", [{"asyncapi": "2.6.0"}, {"channel": {}}, {"operations": {"a": {"action": "read"}}}])
def test_what_is_no_asyncapi_would_be_noticed(spoilt: dict[str, Any]) -> None:
    assert problems({**DOCUMENT, **spoilt})


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > len(REGISTRY)
    assert [name for name in found if not followed(name)] == []


@pytest.mark.parametrize("topic", REGISTRY, ids=lambda topic: topic.name)
def test_a_topic_is_a_channel_with_its_key_kind_types_and_settings(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    assert channel["address"] == topic.name
    assert (channel["x-key"], channel["x-kind"]) == (topic.key, topic.kind.value)
    assert tuple(channel["messages"]) == (topic.every_type or tuple(channel["messages"])[:1])
    told = channel["bindings"]["kafka"]["topicConfiguration"]
    assert {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in told.items()} == (
        topic.config()
    )


def test_operations_are_what_services_write_and_read() -> None:
    told = {
        (operation["tags"][0]["name"], operation["action"], operation["channel"]["$ref"].removeprefix("#/channels/"))
        for operation in DOCUMENT["operations"].values()
    }
    assert told == {
        *((service, "send", topic.name) for topic in REGISTRY for service in topic.producers if service in SERVICES),
        *((service, "receive", topic.name) for topic in REGISTRY for service in topic.consumers),
    }


def test_every_topic_but_that_of_dead_letters_has_examples() -> None:
    shown = {name for name, _ in EXAMPLES}
    without = [topic.name for topic in REGISTRY if not shown & set(DOCUMENT["channels"][topic.name]["messages"])]
    assert without == [RAW_EVENTS.dead_letter]


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[example["name"] for _, example in EXAMPLES])
def test_an_example_is_what_the_document_says(name: str, example: dict[str, Any]) -> None:
    for part in ("headers", "payload"):
        found = schema_at(f"/components/messages/{name}/{part}").iter_errors(example[part])
        assert [error.message for error in found] == []


@pytest.mark.parametrize(
    ("name", "part", "member", "value"),
    [
        ("customer.updated.v1", "headers", "ce_version", "seven"),
        ("customer.updated.v1", "headers", "ce_type", "customer.updated.v2"),
        ("customer.updated.v1", "headers", "ce_time", "yesterday"),
        ("segment.entered.v1", "headers", "ce_source", "rapport/metrics"),
        ("customer.updated.v1", "payload", "lifecycle", "friend"),
        ("customer.redirected.v1", "payload", "redirect_to", None),
        ("customer.redirected.v1", "payload", "memberships", {"somebody": "twice"}),
        ("interaction.accepted.v1", "payload", "payload", {"total": 35.5}),
        ("activity.recorded.v1", "payload", "payload", {"lines": "none"}),
        ("segment.entered.v1", "payload", "cause", {"kind": "whim"}),
    ],
)
def test_a_spoilt_example_would_be_noticed(name: str, part: str, member: str, value: object) -> None:
    example = next(example for of, example in EXAMPLES if of == name)
    assert not schema_at(f"/components/messages/{name}/{part}").is_valid({**example[part], member: value})


def test_headers_that_order_messages_are_asked_for() -> None:
    for topic in REGISTRY:
        number = {Kind.STATE: "ce_version", Kind.SEQUENCED_LOG: "ce_sequence"}.get(topic.kind)
        for name in topic.every_type if number else ():
            headers = schema_at(f"/components/messages/{name}/headers")
            shown = next(example["headers"] for of, example in EXAMPLES if of in topic.types)
            ours = {**shown, "ce_type": name}
            assert headers.is_valid(ours)
            assert not headers.is_valid({key: value for key, value in ours.items() if key != number})
            assert not headers.is_valid({key: value for key, value in ours.items() if key != "ce_incarnation"})


@pytest.mark.parametrize("example", MESSAGES["raw-event"]["examples"], ids=lambda example: example["name"])
def test_a_raw_event_that_the_document_shows_is_accepted(example: dict[str, Any]) -> None:
    record = PlainRecord(
        topic=RAW_EVENTS.name,
        partition=0,
        offset=0,
        timestamp=1_795_339_801_500,
        value=json.dumps(example["payload"]).encode(),
        headers=[(name, value.encode()) for name, value in example["headers"].items()],
    )
    (found,) = read(record, Reader(Identities(b"a secret of the tests")))
    assert isinstance(found, Interaction), found
    assert found.source == example["headers"].get("source", example["payload"].get("source"))


def test_the_types_of_outreach_are_those_that_engagement_announces() -> None:
    assert set(announcement._TYPES.values()) == set(OUTREACH.types)
    assert set(announcement._TYPES) <= set(MessageState)
