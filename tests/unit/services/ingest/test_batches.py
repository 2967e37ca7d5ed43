"""Batches: what they say about all of their events, and that each event stands or falls alone."""

import json
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import (
    context,
    order,
    readings,
    refused,
    track,
    verdict,
)


def test_a_bad_item_of_a_batch_is_quarantined_alone_with_its_own_bytes() -> None:
    bad = json.dumps(order(total="a lot")).encode()
    good = [json.dumps(track(messageId=f"m-{n}")).encode() for n in range(2)]
    value = b'{"sentAt": "2026-11-22T09:30:01Z", "batch": [%s,%s , %s]}' % (good[0], bad, good[1])
    first, second, third = readings(value)
    assert isinstance(first, Interaction)
    assert isinstance(third, Interaction)
    assert (first.message_id, third.message_id) == ("m-0", "m-1")
    assert isinstance(second, Refused)
    assert (second.problem.path, second.original, second.message_id) == ("/properties/total", bad, "m-1")
    assert second.around is not None
    assert json.loads(second.around) == {"sentAt": "2026-11-22T09:30:01Z", "context": {}, "integrations": {}}


def test_a_batch_gives_its_context_and_sending_time_to_items_that_have_none() -> None:
    value = {
        "batch": [
            track(originalTimestamp="2026-11-22T09:00:00Z", context={"locale": "de-AT"}),
            track(originalTimestamp="2026-11-22T09:00:00Z", sentAt="2026-11-22T09:00:02Z"),
        ],
        "context": {"locale": "en", "app": {"name": "shop"}},
        "integrations": {"All": True},
        "sentAt": "2026-11-22T09:00:01Z",
    }
    one, other = readings(value)
    assert isinstance(one, Interaction)
    assert isinstance(other, Interaction)
    assert context(one) == {"locale": "de-AT", "app": {"name": "shop"}}
    assert context(other) == {"locale": "en", "app": {"name": "shop"}}
    assert one.occurred_at.isoformat() == "2026-11-22T09:30:00.420000+00:00"
    assert other.occurred_at.isoformat() == "2026-11-22T09:29:59.420000+00:00"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"batch": {}}, ("envelope", "wrong_type", "/batch")),
        ({"batch": None}, ("envelope", "wrong_type", "/batch")),
        ({"batch": [], "context": 1}, ("envelope", "wrong_type", "/context")),
        ({"batch": [], "sentAt": "2026-11-22T09:30:01"}, ("envelope", "no_offset", "/sentAt")),
        ({"batch": [], "sentAt": "now"}, ("envelope", "not_a_time", "/sentAt")),
        ({"batch": [], "context": {"a": "x" * 33_000}}, ("limits", "too_large", "/context")),
        ({"batch": [1] * 1000, "context": {"a": "x" * 20_000}}, ("limits", "too_large", "/context")),
    ],
)
def test_a_batch_that_cannot_be_taken_apart_is_refused_whole(value: Any, expected: tuple[str, str, str]) -> None:
    assert verdict(value) == expected
    assert refused(value).original == json.dumps(value).encode()


def test_an_item_that_is_no_event_is_refused_alone() -> None:
    found = readings({"batch": [1, track(), track("Any", properties={"pad": "x" * 33_000})]})
    assert [one.problem.reason.value if isinstance(one, Refused) else one.name for one in found] == [
        "wrong_type",
        "Order Completed",
        "too_large",
    ]


def test_an_empty_batch_holds_no_event() -> None:
    assert readings({"batch": []}) == []
