"""Golden messages stay for ever: readers of our topics rely on these bytes.

Each file of tests/golden/ is named after its topic and holds messages as (key, headers, value), one or one by name.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.engagement.domain.ledger import Accepted, RetryPolicy, claim, settle
from services.engagement.handlers import announcements, publications
from services.ingest.messages import interaction_message
from shared.contracts.codec import decode, encode
from shared.contracts.envelope import header, headers
from shared.contracts.interactions import Interaction
from shared.contracts.topics import INTERACTIONS, OUTREACH, REGISTRY, Kind, topic
from shared.runtime.handler import Message
from tests.contract.services.engagement import test_worked_example as outreach
from tests.contract.services.ingest import test_worked_example as interactions
from tests.unit.services.ingest.catalogue_examples import EXAMPLES

GOLDEN = Path(__file__).parents[3] / "golden"
TYPED = [one.name for one in REGISTRY if one.payload is not None]


def messages(name: str) -> list[dict[str, Any]]:
    """Read a topic's golden messages."""
    return list(_found(json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))))


def _found(document: Any) -> Iterator[dict[str, Any]]:
    if isinstance(document, list):
        for item in document:
            yield from _found(item)
    elif "value" in document:
        yield document
    else:
        yield from _found(list(document.values()))


def shown(message: Message) -> dict[str, Any]:
    """Write a message as the golden files do."""
    return {
        "key": message.key.decode(),
        "headers": [[name, content.decode()] for name, content in message.headers],
        "value": None if message.value is None else message.value.decode(),
    }


def test_every_typed_topic_has_golden_messages_and_no_file_is_without_a_topic() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == sorted(TYPED)


@pytest.mark.parametrize("name", TYPED)
def test_golden_values_come_back_byte_for_byte(name: str) -> None:
    values = [(payload_of(name, found), found["value"]) for found in messages(name)]
    assert any(payload for payload, _ in values)
    for payload, value in values:
        assert (payload is None) is (value is None)
        assert payload is None or encode(decode(payload, value.encode())) == value.encode()


@pytest.mark.parametrize("name", TYPED)
def test_every_payload_of_a_topic_and_every_tombstone_has_a_golden_message(name: str) -> None:
    shown = {dict(found["headers"])["ce_type"] for found in messages(name)}
    assert shown & set(topic(name).types)
    assert shown >= {*dict(topic(name).others), *topic(name).tombstones}


def payload_of(name: str, found: dict[str, Any]) -> type[msgspec.Struct] | None:
    """Tell what a golden message holds, by its type."""
    return topic(name).payload_of(dict(found["headers"])["ce_type"])


@pytest.mark.parametrize("name", TYPED)
def test_golden_headers_are_those_of_a_cloudevent(name: str) -> None:
    required = [key for key, _ in headers(id="", source="", type="", time=outreach.AT, subject="")]
    for found in messages(name):
        names = [key for key, _ in found["headers"]]
        assert names[: len(required)] == required
        pairs = [(key, content.encode()) for key, content in found["headers"]]
        assert header(pairs, "ce_source") == f"rapport/{topic(name).producers[0]}"
        assert header(pairs, "ce_type") in topic(name).every_type
        assert found["key"].startswith(str(header(pairs, "ce_subject")))
        assert ("ce_version" in names) is (topic(name).kind is Kind.STATE)


def test_ingest_still_writes_its_golden_messages() -> None:
    written = [{"topic": INTERACTIONS.name, **shown(message)} for message in interaction_messages()]
    golden = messages(INTERACTIONS.name)
    assert golden[: len(written)] == written
    # What follows is as ingest wrote it before: an alias that named nobody but its sender.
    assert [json.loads(one["value"])["name"] for one in golden[len(written) :]] == ["Alias Requested"]


def interaction_messages() -> Iterator[Message]:
    """Say the example's order, then one event of each family as its senders write it."""
    sent = [interactions.RAW]
    sent += [_call(f"golden-{number}", **example) for number, example in enumerate(_calls())]
    for value in sent:
        interaction = interactions.reading(value)
        assert isinstance(interaction, Interaction), interaction
        yield interaction_message(interaction)


def _calls() -> Iterator[dict[str, Any]]:
    for example in EXAMPLES:
        yield {"type": "track", "event": example.name, "properties": example.sent}
    traits = {"email": "Eva@Example.com", "phone": "+43 1 58858123", "firstName": "Eva", "age": None}
    yield {"type": "identify", "traits": traits, "context": {"device": {"type": "ios", "id": "B5372DB0"}}}
    yield {"type": "group", "groupId": "g-1", "traits": {"name": "Mugs", "employees": "11-50", "mrr": 12.5}}
    yield {"type": "alias", "previousId": "an-7"}


def _call(message_id: str, **call: Any) -> bytes:
    times = {"originalTimestamp": "2026-11-22T09:30:01.250Z", "sentAt": "2026-11-22T09:30:01.300Z"}
    return json.dumps({"userId": "u-17", "messageId": message_id, **times, **call}).encode()


def test_engagement_still_writes_its_golden_messages() -> None:
    assert [shown(message) for message in outreach_messages()] == messages(OUTREACH.name)


def outreach_messages() -> list[Message]:
    """Say what becomes of the example's mail: planned, then accepted."""
    decision, entry = outreach.planned()
    settled = settle(
        claim(entry, "example.com", outreach.AT),
        1,
        Accepted("250"),
        RetryPolicy(),
        outreach.AT,
    )
    assert settled is not None
    said = publications(announcements([settled]))
    return [publication.message for publication in (*decision.publications, *said)]
