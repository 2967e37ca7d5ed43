from datetime import UTC, datetime
from typing import Any

import pytest

from services.segmenter.domain.instants import instant
from services.segmenter.domain.record import facts_of
from services.segmenter.reading import Happened, Recorded, Vacated, read
from shared.contracts.codec import encode
from shared.contracts.envelope import Order
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.records import PlainRecord, Poison

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
EVA, ADA = "5f" * 16, "6a" * 16
ACTIVITY: dict[str, Any] = {
    "message_id": "m-1",
    "name": "Order Completed",
    "occurred_at": AT,
    "customer_id": EVA,
    "identity_id": EVA,
    "customer_version": 7,
    "payload": {"total": 1},
}
RECORD: dict[str, Any] = {
    "customer_id": EVA,
    "identities": [{"id": EVA, "kind": "email", "value": "eva@example.com"}],
    "traits": {"plan": {"value": "pro", "source": "s", "at": AT}},
    "orders": {"count": 1, "revenue": [{"amount": "35.50", "currency": "EUR"}], "first_at": AT, "last_at": AT},
    "consent": {"marketing/email": {"state": "given", "at": AT}},
    "first_at": AT,
    "last_at": AT,
    "lifecycle": "customer",
}
REDIRECT: dict[str, Any] = {"customer_id": ADA, "redirect_to": EVA, "memberships": {ADA: 2}}
VERSION = [("ce_version", b"7"), ("ce_incarnation", b"1")]
REDIRECTED = [("ce_type", b"customer.redirected.v1"), *VERSION]


def activity(value: Any, headers: list[tuple[str, bytes]] | None = None) -> PlainRecord:
    data = value if isinstance(value, bytes | None) else encode(value)
    return PlainRecord(topic=ACTIVITIES.name, partition=0, offset=0, value=data, headers=headers or [])


def record(value: Any, headers: list[tuple[str, bytes]], key: bytes = EVA.encode()) -> PlainRecord:
    data = value if isinstance(value, bytes | None) else encode(value)
    return PlainRecord(topic=CUSTOMERS.name, partition=0, offset=0, key=key, value=data, headers=headers)


def test_an_activity_is_read_with_when_its_event_was_accepted() -> None:
    headers = [("ce_type", b"activity.recorded.v1"), ("crm_accepted_at", b"2026-11-22T09:30:00.05Z")]
    assert read(activity(ACTIVITY, headers)) == Happened(
        EVA, EVA, 1, "Order Completed", instant(AT), "m-1", 7, "2026-11-22T09:30:00.05Z"
    )


def test_a_record_is_kept_without_its_identities() -> None:
    said = read(record(RECORD, VERSION))
    assert isinstance(said, Recorded)
    assert said.order == Order(1, 7)
    assert said.record is not None
    assert b"eva@example.com" not in said.record
    facts = facts_of(said.record)
    assert (facts.traits, facts.orders, facts.revenue) == ({"plan": "pro"}, 1, {"EUR": "35.50"})
    assert (facts.consent, facts.lifecycle) == ({"marketing/email": "given"}, "customer")
    assert facts.last_order_at == instant(AT)


def test_a_tombstone_is_an_erasure_of_whom_its_key_names() -> None:
    assert read(record(None, VERSION)) == Recorded(EVA, Order(1, 7), None, None)


def test_an_activity_says_whose_its_identity_is() -> None:
    said = read(activity(ACTIVITY | {"identity_id": ADA, "membership_version": 2}))
    assert isinstance(said, Happened)
    assert (said.customer, said.identity, said.membership) == (EVA, ADA, 2)


def test_a_record_tells_who_moved_and_how_many_it_names() -> None:
    alone, joined, other = (
        read(record(RECORD | {"memberships": memberships}, VERSION)) for memberships in ({}, {ADA: 2}, {ADA: 3})
    )
    assert isinstance(alone, Recorded)
    assert isinstance(joined, Recorded)
    assert isinstance(other, Recorded)
    assert (alone.memberships, alone.heard, alone.identities) == ({}, b"", 1)
    assert joined.memberships == {ADA: 2}
    assert len({alone.heard, joined.heard, other.heard}) == 3


def test_a_redirect_says_who_the_customer_is_now() -> None:
    headers = [("ce_type", b"customer.redirected.v1"), *VERSION]
    assert read(record(REDIRECT, headers, ADA.encode())) == Vacated(ADA, Order(1, 7), EVA, {ADA: 2})


def test_a_removal_is_no_erasure_and_moves_nobody() -> None:
    headers = [("ce_type", b"customer.removed.v1"), *VERSION]
    assert read(record(None, headers)) == Vacated(EVA, Order(1, 7), EVA, {})


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (activity(b"{"), "malformed"),
        (activity(None), "malformed"),
        (activity(b"\xff"), "malformed"),
        (activity(ACTIVITY | {"occurred_at": "2026-11-22T09:30:00"}), "malformed"),
        (activity(ACTIVITY | {"customer_id": "eva"}), "no_customer_id"),
        (activity(ACTIVITY | {"identity_id": "eva"}), "no_customer_id"),
        (activity(ACTIVITY | {"membership_version": 0}), "malformed"),
        (activity(ACTIVITY, [("ce_type", b"activity.recorded.v2")]), "unknown_event_type"),
        (record(REDIRECT, REDIRECTED[:1]), "no_version"),
        (record(None, REDIRECTED), "malformed"),
        (record(REDIRECT | {"redirect_to": "eva"}, REDIRECTED), "no_customer_id"),
        (record(REDIRECT | {"memberships": {"eva": 2}}, REDIRECTED), "no_customer_id"),
        (record(REDIRECT | {"memberships": {ADA: 2**70}}, REDIRECTED), "malformed"),
        (record(None, [("ce_type", b"customer.removed.v1"), *VERSION], b"eva"), "no_customer_id"),
        (record(RECORD | {"memberships": {"eva": 2}}, VERSION), "no_customer_id"),
        (record(RECORD, []), "no_version"),
        (record(RECORD, [("ce_version", b"x"), ("ce_incarnation", b"1")]), "no_version"),
        (record(RECORD | {"lifecycle": "fan"}, VERSION), "malformed"),
        (record(RECORD | {"first_at": "2026-11-22T09:30:00"}, VERSION), "malformed"),
        (record(None, VERSION, b"\xff"), "no_customer_id"),
        (
            record(
                RECORD | {"orders": RECORD["orders"] | {"revenue": [{"amount": "lots", "currency": "EUR"}]}}, VERSION
            ),
            "malformed",
        ),
        (PlainRecord(topic="crm.other.v1", partition=0, offset=0, value=b"{}"), "unknown_topic"),
    ],
)
def test_what_cannot_be_read_is_poison_that_shows_no_value(said: PlainRecord, reason: str) -> None:
    poison = read(said)
    assert isinstance(poison, Poison)
    assert poison.reason == reason
    assert "eva" not in repr(poison)


def test_a_header_that_is_no_time_is_not_passed_on() -> None:
    said = read(activity(ACTIVITY, [("crm_accepted_at", b"\x00" * 50)]))
    assert isinstance(said, Happened)
    assert said.accepted_at is None
