"""Segment's shape: every call type and what it must have."""

from typing import Any

import pytest

from tests.unit.services.ingest.records import (
    accepted,
    identities,
    payload,
    track,
    verdict,
)

PEOPLE = {"userId": "u-17", "anonymousId": "an-7"}


@pytest.mark.parametrize(
    ("call", "name", "family", "said"),
    [
        ({"type": "track", "event": "Mug Broken", "properties": {"n": 1.50}}, "Mug Broken", "generic", {"n": 1.5}),
        ({"type": "track", "event": "Mug Broken"}, "Mug Broken", "generic", {}),
        ({"type": "track", "event": "Mug Broken", "properties": None}, "Mug Broken", "generic", {}),
        (
            {"type": "identify", "traits": {"email": "e@x.com", "age": None}},
            "Identify",
            "identify",
            {"traits": {"email": "e@x.com", "age": None}},
        ),
        ({"type": "identify"}, "Identify", "identify", {"traits": {}}),
        (
            {"type": "page", "name": "Home", "category": "Shop", "properties": {"url": "/"}},
            "Page Viewed",
            "view",
            {"name": "Home", "category": "Shop", "url": "/"},
        ),
        ({"type": "page"}, "Page Viewed", "view", {}),
        ({"type": "screen", "name": "Cart"}, "Screen Viewed", "view", {"name": "Cart"}),
        (
            {"type": "group", "groupId": "g-1", "traits": {"plan": "pro"}},
            "Group Joined",
            "group",
            {"group_id": "g-1", "plan": "pro"},
        ),
        ({"type": "alias", "previousId": "an-1"}, "Alias Requested", "alias", {"previous_id": "an-1"}),
        (
            {"type": "track", "event": "Consent Given", "properties": {"purpose": "marketing", "channel": "sms"}},
            "Consent Given",
            "consent",
            {"purpose": "marketing", "channel": "sms"},
        ),
        (
            {"type": "track", "event": "Unsubscribed"},
            "Unsubscribed",
            "consent",
            {"purpose": "marketing", "channel": "email"},
        ),
    ],
)
def test_every_call_type_has_its_name_family_and_payload(
    call: dict[str, Any], name: str, family: str, said: dict[str, Any]
) -> None:
    found = accepted({**call, **PEOPLE})
    assert (found.name, found.family, payload(found)) == (name, family, said)
    assert identities(found)[0] == ("user_id", "u-17")
    assert identities(found)[-1] == ("anonymous_id", "an-7")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", ("parse", "not_json", "")),
        (b"{", ("parse", "not_json", "")),
        (b"\xff", ("parse", "not_utf8", "")),
        (b'{"type": "track", "event": "X", "userId": "u", "other": "\xff"}', ("parse", "not_utf8", "")),
        (b'{"type": "track", "event": "\\ud800", "userId": "u"}', ("parse", "not_json", "")),
        (b'{"type": "tr\xffck", "userId": "u"}', ("parse", "not_utf8", "")),
        (b'{"type": "identify", "userId": "u", "traits": {"a": "\xff"}}', ("parse", "not_utf8", "")),
        (b'{"batch": [], "context": {"a": "\xff"}}', ("parse", "not_utf8", "/context")),
        (b"[]", ("envelope", "wrong_type", "")),
        (b'"track"', ("envelope", "wrong_type", "")),
        (b'{"a":' + b"[" * 30_000, ("limits", "too_deep", "")),
        (None, ("parse", "no_value", "")),
        ({}, ("envelope", "missing", "/type")),
        ({"type": ""}, ("envelope", "missing", "/type")),
        ({"type": "Track"}, ("envelope", "unknown_type", "/type")),
        ({"type": 7}, ("envelope", "wrong_type", "/type")),
        ({"type": "track", "userId": "u"}, ("envelope", "missing", "/event")),
        ({"type": "track", "event": "", "userId": "u"}, ("envelope", "missing", "/event")),
        ({"type": "track", "event": 5, "userId": "u"}, ("envelope", "wrong_type", "/event")),
        (track("X" * 256), ("limits", "too_long", "/event")),
        (track("A\u0000B"), ("envelope", "bad_character", "/event")),
        ({"type": "group", "userId": "u"}, ("envelope", "missing", "/groupId")),
        ({"type": "group", "userId": "u", "groupId": ""}, ("envelope", "missing", "/groupId")),
        ({"type": "alias", "userId": "u"}, ("envelope", "missing", "/previousId")),
        ({"type": "alias", "previousId": "a", "anonymousId": "x"}, ("envelope", "missing", "/userId")),
        (track(userId=1.5), ("envelope", "wrong_type", "/userId")),
        (track(userId=True), ("envelope", "wrong_type", "/userId")),
        (track(userId="u" * 256), ("limits", "too_long", "/userId")),
        (track(userId="u\u0007"), ("identity", "bad_character", "/userId")),
        (track(anonymousId="a\u0000"), ("identity", "bad_character", "/anonymousId")),
        (track(userId=None), ("identity", "no_identity", "/userId")),
        (track(userId=None, anonymousId="guest"), ("identity", "no_identity", "/anonymousId")),
        (track(messageId="m" * 101), ("limits", "too_long", "/messageId")),
        (track(messageId="m\u0000"), ("envelope", "bad_character", "/messageId")),
        (track(timestamp="2026-11-22T09:30:01"), ("envelope", "no_offset", "/timestamp")),
        (track(originalTimestamp="2026-11-22T09:30:01"), ("envelope", "no_offset", "/originalTimestamp")),
        (track(sentAt="2026-11-22T09:30:01"), ("envelope", "no_offset", "/sentAt")),
        (track(timestamp="yesterday"), ("envelope", "not_a_time", "/timestamp")),
        (track(timestamp=1_795_339_801), ("envelope", "wrong_type", "/timestamp")),
        (track("Any", properties=[]), ("payload", "wrong_type", "/properties")),
        (track("Any", properties={"a": "\u0000"}), ("payload", "bad_character", "/properties")),
        (track(context="web"), ("envelope", "wrong_type", "/context")),
        (track(context={"a": "\u0000"}), ("payload", "bad_character", "/context")),
        (track("Any", properties={"pad": "x" * 33_000}), ("limits", "too_large", "")),
        (track("Consent Given", properties={"channel": "sms"}), ("payload", "missing", "/properties/purpose")),
        (
            track("Consent Given", properties={"purpose": "", "channel": "sms"}),
            ("payload", "missing", "/properties/purpose"),
        ),
        (
            track("Consent Given", properties={"purpose": "m", "channel": 5}),
            ("payload", "wrong_type", "/properties/channel"),
        ),
        (
            track("Consent Given", properties={"purpose": "a/b", "channel": "sms"}),
            ("payload", "bad_character", "/properties/purpose"),
        ),
        (track("Consent Given"), ("payload", "missing", "/properties/purpose")),
    ],
)
def test_what_is_wrong_is_told_by_stage_reason_and_path(value: Any, expected: tuple[str, str, str]) -> None:
    assert verdict(value) == expected


def test_a_backslash_before_u0000_is_text_and_no_nul() -> None:
    assert payload(accepted(track("Any", properties={"a": "\\u0000"}))) == {"a": "\\u0000"}


def test_an_alias_names_whom_it_asks_to_merge() -> None:
    asked = accepted({"type": "alias", "userId": "u-17", "previousId": "an-1", "messageId": "m-1"})
    assert identities(asked) == [("user_id", "u-17"), ("anonymous_id", "an-1")]
