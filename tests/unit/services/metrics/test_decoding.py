"""What metrics reads from a message, and what it says of one that it cannot read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest

from services.metrics.decoding import FREE, CustomerHead, read
from services.metrics.domain.events import (
    ActivitySeen,
    CustomerSeen,
    Erased,
    Membership,
    MessageReached,
    OrderTotal,
    Rearranged,
    SegmentChanged,
)
from services.metrics.domain.months import day_of
from shared.contracts.customers import CustomerRecord, Lifecycle
from shared.contracts.segments import MergeCause
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.records import PlainRecord, Poison
from tests.unit.services.metrics.records import NOON, activity, change, customer, order, outreach, redirect

TODAY = day_of(NOON)
ONE, TWO = (1).to_bytes(16, "big"), (2).to_bytes(16, "big")


def test_an_order_is_an_activity_with_its_total() -> None:
    assert read(order(1, NOON, "35.50", "EUR")) == ActivitySeen(ONE, TODAY, OrderTotal("EUR", Decimal("35.50")))


def test_another_activity_is_no_order() -> None:
    assert read(activity(1)) == ActivitySeen(ONE, TODAY, None)


def test_an_updated_order_is_not_a_second_order() -> None:
    assert read(activity(1, name="Order Updated")) == ActivitySeen(ONE, TODAY, None)


def test_an_order_without_a_total_counts_and_costs_nothing() -> None:
    assert read(order(1, amount=None)) == ActivitySeen(ONE, TODAY, FREE)


def test_a_day_is_a_day_in_utc_whatever_the_offset() -> None:
    just_after_midnight_in_vienna = datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    seen = read(activity(1, just_after_midnight_in_vienna))
    assert isinstance(seen, ActivitySeen)
    assert seen.day == day_of(datetime(2026, 11, 22, tzinfo=UTC))


def test_a_segment_change_is_counted_in_its_lane_on_its_day() -> None:
    assert read(change(1, lane=3)) == SegmentChanged(3, "two-or-more", TODAY, "entered")


def test_a_message_keeps_its_place_in_the_log() -> None:
    expected = MessageReached("k-1", (1, 7), "welcome-back", "email", "accepted", TODAY, None)
    assert read(outreach(sequence=7)) == expected


def test_of_a_customer_only_the_lifecycle_is_read() -> None:
    assert read(customer(1, 4, Lifecycle.CUSTOMER)) == CustomerSeen(ONE, (1, 4), "customer")


def test_a_tombstone_is_a_customer_without_a_lifecycle() -> None:
    assert read(customer(1, 5, None)) == CustomerSeen(ONE, (1, 5), None)


def test_what_an_identity_of_somebody_does_says_whose_it_is() -> None:
    assert read(activity(1, identity=2)) == ActivitySeen(TWO, TODAY, None, Membership(TWO, ONE, 1))
    assert read(activity(2, identity=2, membership=3)) == ActivitySeen(TWO, TODAY, None, Membership(TWO, TWO, 3))


def test_a_record_says_which_identities_moved_to_it() -> None:
    found = read(customer(1, 4, memberships={1: 3, 2: 2}))
    assert found == CustomerSeen(ONE, (1, 4), "lead", (Membership(ONE, ONE, 3), Membership(TWO, ONE, 2)))


def test_a_redirect_is_no_customer_any_more_and_says_whose_its_identity_is() -> None:
    assert read(redirect(2, 1, 9)) == CustomerSeen(TWO, (1, 9), None, (Membership(TWO, ONE, 2),))


def test_a_change_that_a_merge_made_is_nobody_coming_or_going() -> None:
    assert read(change(1, cause=MergeCause())) == Rearranged()


@pytest.mark.parametrize("topic", [ACTIVITIES, SEGMENT_CHANGES, OUTREACH], ids=lambda topic: topic.name)
def test_an_empty_message_on_a_log_is_somebody_erased(topic: object) -> None:
    assert read(PlainRecord(topic=getattr(topic, "name", ""), partition=0, offset=0)) == Erased()


def with_value(made: PlainRecord, old: bytes, new: bytes) -> PlainRecord:
    assert made.value is not None
    assert old in made.value
    return msgspec.structs.replace(made, value=made.value.replace(old, new))


@pytest.mark.parametrize(
    ("bad", "poison"),
    [
        (lambda: PlainRecord(topic="else", partition=0, offset=0), ("unknown_topic", "")),
        (lambda: msgspec.structs.replace(order(), value=b"\xff{"), ("malformed", "$")),
        (lambda: with_value(order(), b'"35.50"', b"35.5"), ("malformed", "$.total.amount")),
        (lambda: order(amount="a lot"), ("not_a_number", "$.payload.total.amount")),
        (lambda: order(amount="NaN"), ("not_a_number", "$.payload.total.amount")),
        (lambda: order(amount="1e31"), ("too_many_digits", "$.payload.total.amount")),
        (lambda: order(amount="1e-31"), ("too_many_digits", "$.payload.total.amount")),
        (lambda: order(currency="euro"), ("bad_currency", "$.payload.total.currency")),
        (
            lambda: with_value(order(), b'"customer_id":"0000', b'"customer_id":"zz00'),
            ("bad_customer_id", "$.customer_id"),
        ),
        (lambda: with_value(order(), b'"customer_id":"0000', b'"customer_id":"'), ("bad_customer_id", "$.customer_id")),
        (lambda: with_value(order(), b'"identity_id":"0000', b'"identity_id":"zz00'), ("bad_id", "$.identity_id")),
        (lambda: activity(1, identity=2, membership=0), ("bad_membership", "$.membership_version")),
        (lambda: activity(1, identity=2, membership=2**31), ("bad_membership", "$.membership_version")),
        (lambda: customer(1, memberships={2: -1}), ("bad_membership", "$.memberships[...]")),
        (lambda: with_value(redirect(2, 1, 1), b'_to":"0', b'_to":"x'), ("bad_id", "$.redirect_to")),
        (lambda: with_value(redirect(2, 1, 1), b'{"0000', b'{"x'), ("bad_id", "$.memberships[...]")),
        (lambda: with_value(redirect(2, 1, 1), b'"redirect_to"', b'"to"'), ("malformed", "$")),
        (lambda: with_value(change(), b'"entered"', b'"hovering"'), ("malformed", "$.change")),
        (lambda: msgspec.structs.replace(outreach(), headers=()), ("no_sequence", "headers")),
        (lambda: msgspec.structs.replace(customer(), headers=()), ("no_version", "headers")),
        (lambda: msgspec.structs.replace(customer(lifecycle=None), key=None), ("bad_customer_id", "$.customer_id")),
        (
            lambda: msgspec.structs.replace(order(), headers=[("ce_type", b"order.completed.v2")]),
            ("unknown_event_type", "headers.ce_type"),
        ),
    ],
)
def test_what_cannot_be_read_says_why_and_where(bad: Callable[[], PlainRecord], poison: tuple[str, str]) -> None:
    found = read(bad())
    assert isinstance(found, Poison)
    assert (found.reason, found.path) == poison


def test_what_cannot_be_read_never_shows_a_value() -> None:
    found = read(with_value(change(), b'"entered"', b'"hovering"'))
    assert isinstance(found, Poison)
    assert "hovering" not in repr(found)
    assert found.expected


def test_what_is_read_of_a_customer_is_part_of_the_published_record() -> None:
    record = {field.name: field.type for field in msgspec.structs.fields(CustomerRecord)}
    assert {field.name: field.type for field in msgspec.structs.fields(CustomerHead)}.items() <= record.items()


def test_every_topic_that_the_registry_sends_to_metrics_is_read() -> None:
    for topic in (ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, OUTREACH):
        assert "metrics" in topic.consumers
        found = read(PlainRecord(topic=topic.name, partition=0, offset=0, value=b"{}"))
        assert isinstance(found, Poison)
        assert found.reason != "unknown_topic"
