"""What profile refuses to read, each with its reason, and what it makes of what it can."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.profile.domain.effects import ConsentSaid, OrderCompleted, TraitsSaid
from services.profile.domain.event import Event
from services.profile.reading import read
from shared.contracts.codec import encode
from shared.contracts.customers import ConsentStatus
from shared.runtime.records import PlainRecord, Poison
from tests.property.services.profile.strategies import interaction

RECEIVED = datetime(2026, 11, 22, 9, 30, 1, tzinfo=UTC)
PLAIN = interaction("m-1", ("Product Viewed", "browse", {"product_id": "p-1"}), received_at=RECEIVED)


def sent(value: bytes | None, *, type_: bytes = b"interaction.accepted.v1") -> Event | Poison:
    headers = [("ce_id", b"x"), ("ce_type", type_)]
    return read(PlainRecord(topic="crm.interactions.v1", partition=0, offset=0, value=value, headers=headers))


def changed(**fields: Any) -> Event | Poison:
    return sent(json.dumps({**json.loads(encode(PLAIN)), **fields}).encode())


def order(payload: Any) -> Event | Poison:
    return changed(name="Order Completed", family="order", payload=payload)


def understood(found: Event | Poison) -> Event:
    assert isinstance(found, Event), found
    return found


REFUSED = {
    "malformed": [sent(b""), sent(b"{"), sent(b"[]"), sent(b"\xff"), changed(identities="u-1"), changed(source=None)],
    "refused": [
        changed(identities=[]),
        changed(dedupe_key="0" * 31),
        changed(dedupe_key="0 " * 16),
        changed(dedupe_key="A" * 32),
        changed(dedupe_key="f" * 32),
        changed(payload_hash="g" * 32),
        changed(identities=[{"id": "U-1", "kind": "user_id", "value": "u-1"}]),
        changed(occurred_at="2026-11-22T09:30:01"),
        changed(occurred_at="9999-12-31T23:59:00-05:00"),
        changed(payload=None),
        changed(payload=[1]),
        changed(context="de"),
    ],
    "unreadable_payload": [
        order({"total": 12}),
        order({"total": {"amount": "a lot", "currency": "EUR"}}),
        order({"total": {"amount": "NaN", "currency": "EUR"}}),
        order({"total": {"amount": "1E+999999", "currency": "EUR"}}),
        order({"total": {"amount": "1" * 21, "currency": "EUR"}}),
        order({"total": {"amount": "٣", "currency": "EUR"}}),
        changed(name="Identify", family="identify", payload={"traits": ["x"]}),
        changed(name="Consent Given", family="consent", payload={"purpose": "marketing"}),
        changed(name="Consent Given", family="consent", payload={"purpose": "a/b", "channel": "email"}),
        changed(name="Consent Withdrawn", family="consent", payload={"purpose": "", "channel": "email"}),
    ],
    "unstorable_text": [changed(message_id="a\0b"), changed(name="\0"), changed(source="s\0")],
}


@pytest.mark.parametrize(
    ("reason", "found"), [(reason, found) for reason, cases in REFUSED.items() for found in cases], ids=repr
)
def test_what_cannot_be_applied_is_refused_with_its_reason(reason: str, found: Event | Poison) -> None:
    assert isinstance(found, Poison)
    assert found.reason == reason
    assert found.expected


def test_a_refusal_names_the_place_and_never_the_value() -> None:
    found = order({"total": {"amount": "a lot", "currency": "EUR"}})
    assert isinstance(found, Poison)
    assert found.path == "$.payload.total.amount"
    assert "a lot" not in str(found)


def test_a_tombstone_is_refused() -> None:
    assert sent(None) == Poison("empty_record", "", "an interaction", "a tombstone")


def test_an_event_type_of_another_major_version_is_refused() -> None:
    found = sent(encode(PLAIN), type_=b"interaction.accepted.v2")
    assert isinstance(found, Poison)
    assert found.reason == "unknown_type"


def test_bytes_that_are_only_passed_on_are_still_text() -> None:
    found = sent(encode(PLAIN).replace(b'"p-1"', b'"\xff"'))
    assert isinstance(found, Poison)
    assert found.reason == "malformed"


def test_a_backslash_before_u0000_in_a_payload_is_no_reason_to_refuse() -> None:
    assert isinstance(changed(payload={"note": "\0"}), Event)


def test_a_clock_that_is_ahead_is_believed_for_five_minutes() -> None:
    ahead = understood(changed(occurred_at="2027-01-01T00:00:00Z"))
    assert ahead.occurred_at == RECEIVED + timedelta(minutes=5)
    assert understood(changed(occurred_at="2026-11-22T09:33:00Z")).occurred_at == RECEIVED + timedelta(seconds=179)


def test_times_with_any_offset_are_kept_in_utc() -> None:
    event = understood(changed(occurred_at="2026-11-22T10:00:00+01:00"))
    assert (event.occurred_at.tzinfo, event.occurred_at.hour) == (UTC, 9)


def test_an_event_belongs_to_its_strongest_identity_wherever_that_stands() -> None:
    ids = [
        {"id": "b" * 32, "kind": "anonymous_id", "value": "an"},
        {"id": "c" * 32, "kind": "email", "value": "e"},
        {"id": "d" * 32, "kind": "user_id", "value": "u"},
    ]
    assert understood(changed(identities=ids)).owner.kind == "user_id"
    assert understood(changed(identities=ids[:2])).owner.kind == "email"
    two = [{**ids[2], "id": "e" * 32}, ids[2]]
    assert understood(changed(identities=two)).owner.id == "d" * 32


def test_an_orders_amount_is_exact() -> None:
    event = understood(order({"total": {"amount": "35.50", "currency": "EUR"}, "lines": "whatever"}))
    assert event.effect == OrderCompleted(Decimal("35.50"), "EUR")
    assert understood(order({})).effect == OrderCompleted(None, "")


def test_an_identify_says_traits_and_an_update_of_an_order_nothing_yet() -> None:
    said = understood(changed(name="Identify", family="identify", payload={"traits": {"city": "Wien", "plan": None}}))
    assert said.effect == TraitsSaid((("city", b'"Wien"'), ("plan", b"null")))
    update = understood(changed(name="Order Updated", family="order", payload={"total": 1}))
    assert update.effect is None


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        (
            "Consent Given",
            {"purpose": "research", "channel": "sms"},
            ConsentSaid("research/sms", ConsentStatus.GIVEN),
        ),
        (
            "Consent Withdrawn",
            {"purpose": "research", "channel": "sms"},
            ConsentSaid("research/sms", ConsentStatus.WITHDRAWN),
        ),
        ("Unsubscribed", {}, ConsentSaid("marketing/email", ConsentStatus.WITHDRAWN)),
    ],
)
def test_consent_is_read_by_purpose_and_channel(name: str, payload: Any, expected: ConsentSaid) -> None:
    assert understood(changed(name=name, family="consent", payload=payload)).effect == expected
