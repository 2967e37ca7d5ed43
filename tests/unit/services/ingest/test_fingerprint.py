"""Dedupe key and payload hash: what they are made of, and what has no part in them."""

import pytest

from services.ingest.domain.fingerprint import dedupe_key
from tests.unit.services.ingest.records import accepted, order, track

UUID7 = "01a20297-52a2-7abc-8def-000000000001"


def milliseconds(key: str) -> int:
    return int(key[:12], 16)


@pytest.mark.parametrize(
    ("message_id", "times", "expected"),
    [
        (UUID7, {"timestamp": "2020-01-01T00:00:00Z"}, 0x01A2029752A2),
        (UUID7.upper(), {}, 0x01A2029752A2),
        ("m-1", {"timestamp": "2020-01-01T00:00:00Z"}, 1_577_836_800_000),
        ("m-1", {"timestamp": "2020-01-01T00:00:00Z", "originalTimestamp": "2020-01-01T00:00:01Z"}, 1_577_836_801_000),
        ("m-1", {"originalTimestamp": "2020-01-01T00:00:00.0019Z"}, 1_577_836_800_001),
        ("m-1", {"timestamp": "1971-01-01T00:00:00Z"}, 631_152_000_000),
        (
            "m-1",
            {"originalTimestamp": "9999-01-01T00:00:00Z", "sentAt": "9999-01-01T00:00:00Z"},
            4_102_358_400_000,
        ),
        ("00000000-0000-7000-8000-000000000000", {}, 631_152_000_000),
        ("ffffffff-ffff-7fff-bfff-ffffffffffff", {}, 4_102_358_400_000),
        ("01a20297-52a2-4abc-8def-000000000001", {}, 0),
        ("01a20297-52a2-7abc-0def-000000000001", {}, 0),
        ("01a20297_52a2_7abc_8def_000000000001", {}, 0),
        ("m-1", {}, 0),
        ("m-1", {"sentAt": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_the_key_rises_with_the_events_own_time(message_id: str, times: dict[str, str], expected: int) -> None:
    key = accepted(track(messageId=message_id, **times)).dedupe_key
    assert len(key) == 32
    assert milliseconds(key) == expected


def test_the_key_names_source_and_message_id() -> None:
    keys = {dedupe_key(source, message, 0) for source in ("a", "b") for message in ("1", "2")}
    assert len(keys) == 4
    assert dedupe_key("a", "1", 0) == dedupe_key("a", "1", 0)


def test_the_hash_tells_what_was_said_and_not_how_it_was_written() -> None:
    same = b'{"messageId": "m-1", "userId": "u-17", "event": "Any", "type": "track", "properties": {"b": 1, "a": 2.50}}'
    assert accepted(same).payload_hash == accepted(same.replace(b'"b": 1, "a": 2.50', b'"a":2.50,"b":1')).payload_hash


@pytest.mark.parametrize(
    "other",
    [
        track("Order Updated"),
        track(userId="u-18"),
        track(anonymousId="an-7"),
        track(timestamp="2020-01-01T00:00:00Z"),
        order(total=1),
        order(order_id="o-1"),
    ],
)
def test_another_statement_has_another_hash(other: dict[str, object]) -> None:
    assert accepted(other).payload_hash != accepted(track()).payload_hash


def test_one_instant_in_two_zones_has_one_hash() -> None:
    there, here = (track(timestamp=text) for text in ("2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z"))
    assert accepted(there).payload_hash == accepted(here).payload_hash
