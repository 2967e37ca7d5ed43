"""Real SDKs, unmodified, against the gateway's process: each call arrives once and is read as what it was."""

from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sdks import Sdk, all_sdks, story_for
from tests.integration.services.ingest.wire.stories import check_story


@pytest.mark.parametrize("sdk", all_sdks(), ids=lambda sdk: sdk.name)
def test_every_call_of_an_sdk_arrives_once_and_is_read_as_what_it_was(wire: Wire, sdk: Sdk) -> None:
    story = story_for(sdk)
    wire.topic.mark()
    said = sdk.send(wire.gateway.address, wire.key, story.calls)
    check_story(wire.topic, said, story.expected, once=True)
    assert len(wire.topic.readings()) == len(story.expected)


@pytest.mark.parametrize("sdk", [sdk for sdk in all_sdks() if sdk.name == "rudder-node"], ids=lambda sdk: sdk.name)
def test_the_program_that_a_refusal_ends_is_ended_by_an_unknown_key_and_by_no_bad_event(wire: Wire, sdk: Sdk) -> None:
    """Its SDK throws where nobody catches: to be refused ends the customer's program, so a bad event must not be."""
    order: dict[str, Any] = {"type": "track", "userId": "u-1", "event": "Order Completed"}
    bad: list[dict[str, Any]] = [
        {**order, "properties": {"total": "a lot"}},
        {**order, "properties": {"total": 1, "currency": "money"}},
        {**order, "event": "x" * 300},
        {**order, "userId": "\x07"},
        {**order, "properties": {"note": "x" * 40_000}},
        {**order, "originalTimestamp": "yesterday"},
    ]
    wire.topic.mark()
    said = sdk.send(wire.gateway.address, wire.key, bad)
    assert said.lost == []
    readings = wire.topic.readings()
    assert [isinstance(reading, Refused) for reading in readings] == [True] * len(bad)
    with sdk.begin(wire.gateway.address, wire.key[:-1] + "?", bad[:1]) as program:
        _, complaint = program.communicate(timeout=60)
    assert program.returncode != 0
    assert "Unauthorized" in complaint
