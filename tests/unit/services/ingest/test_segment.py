"""Segment's shape: every call type, what it must have, and batches."""

import json
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import (
    accepted,
    context,
    identities,
    order,
    payload,
    problem,
    readings,
    refused,
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
    assert identities(found) == [("user_id", "u-17"), ("anonymous_id", "an-7")]


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


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"total": "a lot"}, "/properties/total"),
        ({"total": "NaN"}, "/properties/total"),
        ({"total": "Infinity"}, "/properties/total"),
        ({"total": "1_000"}, "/properties/total"),
        ({"total": "1,000.00"}, "/properties/total"),
        ({"total": " 5"}, "/properties/total"),
        ({"total": "\u0665"}, "/properties/total"),
        ({"total": ""}, "/properties/total"),
        ({"total": True}, "/properties/total"),
        ({"total": {"amount": 1}}, "/properties/total"),
        ({"revenue": "?"}, "/properties/revenue"),
        ({"value": []}, "/properties/value"),
        ({"total": 1, "products": [{"price": 1}, {"price": "x"}]}, "/properties/products/1/price"),
        ({"total": 1, "products": [{"quantity": "x"}]}, "/properties/products/0/quantity"),
    ],
)
def test_an_amount_that_is_no_number_is_told_by_its_path(properties: dict[str, Any], path: str) -> None:
    found = problem(order(**properties))
    assert (found.stage.value, found.reason.value, found.path) == ("payload", "not_a_number", path)


def test_a_bare_nan_is_found_where_it_stands() -> None:
    value = json.dumps(order(total=float("nan"))).encode()
    assert b"NaN" in value
    assert verdict(value) == ("payload", "not_a_number", "/properties/total")
    assert verdict(b'{"type": "track", "x": {"a/b": [1, -Infinity]}}') == ("payload", "not_a_number", "/x/a~1b/1")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            b'{"type": "track", "event": "X", "userId": "u", "properties": {"total": NaN, "s": "],[\\""}}',
            "not_a_number",
        ),
        (b'{"type": "track", "event": "\\ud800", "userId": "u"}', "not_json"),
        (b'{"type": "track", "properties": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
        (b'{"type": undefined, "batch": [1, 2]}', "not_json"),
        (b"{'type': 'track'}", "not_json"),
        (b"", "not_json"),
        (b'{"type": "tr\xffck"}', "not_utf8"),
    ],
)
def test_bytes_that_are_no_json_take_no_other_event_of_their_batch_with_them(broken: bytes, reason: str) -> None:
    good = json.dumps(track(properties={"a": '"[}\\', "b": []})).encode()
    found = readings(
        b'{"sentAt": "2026-11-22T09:30:01Z", "batch" : [%s, %s ,%s], "context": {}}' % (good, broken, good)
    )
    assert [type(one) for one in found] == [Interaction, Refused, Interaction]
    assert isinstance(found[1], Refused)
    assert (found[1].problem.reason.value, found[1].original) == (reason, broken)
    assert found[1].around is not None


@pytest.mark.parametrize(
    "value",
    [
        b'{"batch": [{"type": "track"}, NaN',
        b'{"batch": [NaN], "context": {"a": NaN}}',
        b'{"batch": [NaN]} and more',
        b'{"batch": [\x0b]}',
        b'{"type": "track", "properties": {"batch": [1, NaN]}}',
        b'{"batch": {"a": NaN}}',
        b'{"batch": [1, "' + b'\\"' * 15_000,
    ],
)
def test_a_batch_that_does_not_end_is_refused_whole(value: bytes) -> None:
    assert refused(value).original == value


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"total": 1e20}, ("payload", "out_of_range", "/properties/total")),
        ({"total": 10**18}, ("payload", "out_of_range", "/properties/total")),
        ({"total": 1e-13}, ("payload", "out_of_range", "/properties/total")),
        ({"total": 1, "currency": "EURO"}, ("payload", "not_a_currency", "/properties/currency")),
        ({"total": 1, "currency": ""}, ("payload", "not_a_currency", "/properties/currency")),
        ({"total": 1, "currency": 978}, ("payload", "wrong_type", "/properties/currency")),
        ({"order_id": "o" * 256}, ("limits", "too_long", "/properties/order_id")),
        ({"products": [{"product_id": "o" * 256}]}, ("limits", "too_long", "/properties/products/0/product_id")),
        ({"products": {}}, ("payload", "wrong_type", "/properties/products")),
        ({"products": ["mug"]}, ("payload", "wrong_type", "/properties/products/0")),
    ],
)
def test_an_order_is_checked_in_every_part(properties: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert verdict(order(**properties)) == expected


def test_numbers_beyond_all_bounds_are_refused_in_any_payload() -> None:
    huge = b'{"type": "track", "event": "%s", "userId": "u", "properties": {"total": 1e%s}}'
    for event in (b"Order Completed", b"Any"):
        for exponent in (b"400", b"99999999999999999999"):
            assert problem(huge % (event, exponent)).reason.value == "out_of_range"


@pytest.mark.parametrize(
    ("properties", "total"),
    [
        (b'"total": 35.50, "currency": "EUR"', {"amount": "35.50", "currency": "EUR"}),
        (b'"total": "35.50", "currency": "eur"', {"amount": "35.50", "currency": "EUR"}),
        (b'"total": 12', {"amount": "12", "currency": "USD"}),
        (b'"total": 0', {"amount": "0", "currency": "USD"}),
        (b'"total": -5.00', {"amount": "-5.00", "currency": "USD"}),
        (b'"total": 3.55e1', {"amount": "35.5", "currency": "USD"}),
        (b'"total": 1E+2', {"amount": "100", "currency": "USD"}),
        (b'"total": 123456789012345678.123456789012', {"amount": "123456789012345678.123456789012", "currency": "USD"}),
        (b'"total": 0.1000000000000000055511151231257827', None),
        (b'"total": null, "revenue": 3.30', {"amount": "3.30", "currency": "USD"}),
        (b'"revenue": 3, "value": 4', {"amount": "3", "currency": "USD"}),
        (b'"value": 4.4', {"amount": "4.4", "currency": "USD"}),
    ],
)
def test_money_keeps_every_digit(properties: bytes, total: dict[str, str] | None) -> None:
    value = b'{"type": "track", "event": "Order Completed", "userId": "u", "properties": {%s}}' % properties
    if total is None:
        assert problem(value).reason.value == "out_of_range"
    else:
        assert payload(accepted(value))["total"] == total


def test_an_order_without_a_total_has_none() -> None:
    found = payload(accepted(order(order_id=77, products=[{"product_id": 5, "quantity": 2, "price": "1.10"}])))
    assert found == {"order_id": "77", "lines": [{"product_id": "5", "quantity": "2", "price": "1.10"}]}


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
