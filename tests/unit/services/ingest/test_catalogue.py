"""What each family of the catalogue may say, must say and cannot say."""

import json
from typing import Any

import pytest
from msgspec.structs import fields

from services.ingest.domain.catalogue_forms import READERS
from shared.contracts.catalogue import FAMILY_OF, Family
from shared.contracts.codec import decode
from shared.contracts.payloads import PAYLOADS
from tests.unit.services.ingest.catalogue_examples import EXAMPLES, Example
from tests.unit.services.ingest.records import accepted, payload, track, verdict


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_event_says_what_its_family_has_and_keeps_the_rest(example: Example) -> None:
    found = accepted(track(example.name, properties=example.sent))
    assert found.family == example.family
    assert payload(found) == example.said
    if example.family in PAYLOADS:
        kind = PAYLOADS[example.family]
        struct = decode(kind, found.payload)
        named = {one.name for one in fields(kind)}
        told = [name for name in payload(found) if name in named]
        assert told == [one.name for one in fields(kind) if one.name in told]
        assert all(getattr(struct, name) is not None for name in told)


def test_every_family_has_a_payload_and_an_example() -> None:
    assert set(PAYLOADS) | {Family.GENERIC} == set(Family)
    assert set(READERS) | {Family.GENERIC, Family.IDENTIFY} == set(Family)
    shown = {example.family for example in EXAMPLES}
    assert shown | {Family.IDENTIFY, Family.GROUP, Family.ALIAS} == set(Family)


# Events in Segment's words come from everywhere and rarely name all that they could: nothing is asked of them.
_ASKED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Ticket Opened", "Ticket Replied", "Ticket Resolved", "Ticket Reopened"), ("ticket_id",)),
    "Survey Answered": ("metric", "score"),
    "Deal Stage Changed": ("deal_id", "stage"),
    **dict.fromkeys(("Deal Won", "Deal Lost"), ("deal_id",)),
    "Marketing Spend Recorded": ("amount", "channel"),
    **dict.fromkeys(("Consent Given", "Consent Withdrawn"), ("purpose", "channel")),
    **dict.fromkeys(("Complaint Opened", "Complaint Closed"), ("complaint_id",)),
    "Task Completed": ("task_id",),
    "Group Joined": ("group_id",),
    "Alias Requested": ("previous_id",),
}
_FULL: dict[str, Any] = {
    "ticket_id": "t",
    "metric": "csat",
    "score": 4,
    "deal_id": "d",
    "stage": "s",
    "amount": 1,
    "channel": "c",
    "purpose": "p",
    "complaint_id": "k",
    "task_id": "t",
    "group_id": "g",
    "previous_id": "a",
}


@pytest.mark.parametrize("name", sorted(FAMILY_OF))
def test_an_event_must_say_what_it_means_nothing_without(name: str) -> None:
    asked = _ASKED.get(name, ())
    accepted(track(name, properties={one: _FULL[one] for one in asked}))
    for missing in asked:
        for nothing in ({}, {missing: None}):
            said = {one: _FULL[one] for one in asked if one != missing} | nothing
            assert verdict(track(name, properties=said)) == ("payload", "missing", f"/properties/{missing}")


_MEMBERS = [
    (name, member.name)
    for name, family in sorted(FAMILY_OF.items())
    if family not in (Family.IDENTIFY, Family.ORDER)
    for member in fields(PAYLOADS[family])
    if member.name not in ("products", "first_contact")
]


@pytest.mark.parametrize(("name", "member"), _MEMBERS, ids=lambda one: one)
def test_a_member_of_another_type_is_told_by_its_place(name: str, member: str) -> None:
    for value in (True, [1], {"a": 1}):
        said = {one: _FULL[one] for one in _ASKED.get(name, ())} | {member: value}
        stage, reason, path = verdict(track(name, properties=said))
        assert (stage, path) == ("payload", f"/properties/{member}")
        assert reason in ("wrong_type", "not_a_number")


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("Ticket Resolved", {"ticket_id": "t", "first_contact": "yes"}, ("payload", "wrong_type", "first_contact")),
        ("Ticket Resolved", {"ticket_id": "t", "first_contact": 1}, ("payload", "wrong_type", "first_contact")),
        ("Ticket Opened", {"ticket_id": 1.5}, ("payload", "wrong_type", "ticket_id")),
        ("Ticket Opened", {"ticket_id": ""}, ("payload", "missing", "ticket_id")),
        ("Cart Viewed", {"products": {}}, ("payload", "wrong_type", "products")),
        ("Cart Viewed", {"products": [{}, "mug"]}, ("payload", "wrong_type", "products/1")),
        ("Cart Viewed", {"products": [{"price": "x"}]}, ("payload", "not_a_number", "products/0/price")),
        ("Product Viewed", {"price": "x"}, ("payload", "not_a_number", "price")),
        ("Product Viewed", {"price": 1, "currency": "ABC"}, ("payload", "not_a_currency", "currency")),
        ("Product Viewed", {"price": 1, "currency": []}, ("payload", "wrong_type", "currency")),
        ("Product Viewed", {"quantity": -1}, ("payload", "out_of_range", "quantity")),
        ("Product Viewed", {"quantity": 1.5}, ("payload", "not_a_number", "quantity")),
        ("Product Viewed", {"quantity": 10**17}, ("payload", "out_of_range", "quantity")),
        ("Call Logged", {"direction": "sideways"}, ("payload", "unknown_value", "direction")),
        ("Call Logged", {"duration": -1}, ("payload", "out_of_range", "duration")),
        ("Call Logged", {"durationSeconds": -1}, ("payload", "out_of_range", "durationSeconds")),
        ("Trial Ended", {"trial_end_date": "2026-02-30"}, ("payload", "not_a_time", "trial_end_date")),
        ("Trial Ended", {"trial_end_date": "tomorrow"}, ("payload", "not_a_time", "trial_end_date")),
        ("Trial Ended", {"trial_end_date": "2026-11-22T09:00:00"}, ("payload", "no_offset", "trial_end_date")),
        ("Lead Created", {"lead_id": "l" * 256}, ("limits", "too_long", "lead_id")),
        ("Lead Created", {"score": "1e5"}, ("payload", "not_a_number", "score")),
        ("Lead Created", {"title": "a\u0000"}, ("payload", "bad_character", "")),
        ("Lead Created", {"other": "a\u0000"}, ("payload", "bad_character", "")),
    ],
)
def test_a_value_that_its_kind_cannot_have_is_refused(
    name: str, said: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    stage, reason, place = expected
    assert verdict(track(name, properties=said)) == (stage, reason, f"/properties/{place}".rstrip("/"))


@pytest.mark.parametrize(
    ("said", "scale"),
    [
        ({"metric": "nps", "score": 0}, 10),
        ({"metric": "nps", "score": 10, "scale": 10}, 10),
        ({"metric": "csat", "score": 5}, 5),
        ({"metric": "CSAT", "score": 1, "scale": 3}, 3),
        ({"metric": "ces", "score": "7"}, 7),
        ({"metric": "ces", "score": 5.0, "scale": 5}, 5),
    ],
)
def test_an_answer_lies_on_the_scale_of_its_metric(said: dict[str, Any], scale: int) -> None:
    assert payload(accepted(track("Survey Answered", properties=said)))["scale"] == scale


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"metric": "nps", "score": 11}, ("out_of_range", "/score")),
        ({"metric": "nps", "score": -1}, ("out_of_range", "/score")),
        ({"metric": "nps", "score": 5, "scale": 5}, ("out_of_range", "/scale")),
        ({"metric": "csat", "score": 0}, ("out_of_range", "/score")),
        ({"metric": "csat", "score": 6}, ("out_of_range", "/score")),
        ({"metric": "csat", "score": 1, "scale": 1}, ("out_of_range", "/scale")),
        ({"metric": "ces", "score": 1, "scale": 101}, ("out_of_range", "/scale")),
        ({"metric": "ces", "score": 3.5}, ("not_a_number", "/score")),
        ({"metric": "happiness", "score": 3}, ("unknown_value", "/metric")),
        ({"metric": "", "score": 3}, ("missing", "/metric")),
        ({"score": 3, "scale": 5}, ("missing", "/metric")),
    ],
)
def test_an_answer_beside_its_scale_is_refused(said: dict[str, Any], expected: tuple[str, str]) -> None:
    _, reason, path = verdict(track("Survey Answered", properties=said))
    assert (reason, path) == (expected[0], f"/properties{expected[1]}")


def test_the_order_in_which_members_are_sent_changes_nothing() -> None:
    for example in EXAMPLES:
        there = json.dumps(track(example.name, properties=example.sent)).encode()
        back = json.dumps(track(example.name, properties=dict(reversed(example.sent.items())))).encode()
        assert accepted(there).payload_hash == accepted(back).payload_hash


def test_a_spelling_that_counts_for_less_stays_beside_the_one_that_counts() -> None:
    said = {"total": 5, "revenue": 4, "value": 3, "order_id": "o-1", "orderId": "o-2"}
    found = payload(accepted(track("Order Completed", properties=said)))
    assert found == {
        "order_id": "o-1",
        "total": {"amount": "5", "currency": "USD"},
        "orderId": "o-2",
        "revenue": 4,
        "value": 3,
    }
