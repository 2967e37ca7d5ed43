"""The headers of a message: what we write can be read, and what others write is taken or left, never a fault."""

from datetime import UTC, datetime

import pytest

from shared.contracts.envelope import Headers, Order, header, headers, sequence_of, version_of

WRITTEN = headers(
    id="5f:7",
    source="rapport/profile",
    type="customer.updated.v1",
    time=datetime(2026, 11, 22, tzinfo=UTC),
    subject="5f",
)


def test_what_is_written_can_be_read() -> None:
    names = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject")
    assert [header(WRITTEN, name) for name in names] == [
        "1.0",
        "5f:7",
        "rapport/profile",
        "customer.updated.v1",
        "2026-11-22T00:00:00+00:00",
        "5f",
    ]
    assert header(WRITTEN, "ce_sequence") is None


def test_sequence_and_version_come_with_their_incarnation() -> None:
    placed: Headers = [*WRITTEN, ("ce_version", b"7"), ("ce_incarnation", b"2"), ("ce_sequence", b"3204")]
    assert sequence_of(placed) == Order(2, 3204)
    assert version_of(placed) == Order(2, 7)


def test_without_a_number_or_an_incarnation_there_is_no_order() -> None:
    assert sequence_of(WRITTEN) is None
    assert sequence_of([("ce_sequence", b"1")]) is None
    assert version_of([("ce_incarnation", b"1"), ("ce_sequence", b"1")]) is None


@pytest.mark.parametrize("nonsense", [b"", b"-1", b"+1", b"1.0", b" 1", b"\xc2\xb2", b"x", b"9" * 19, b"9" * 5000])
def test_a_number_that_no_column_can_hold_is_no_order(nonsense: bytes) -> None:
    assert sequence_of([("ce_sequence", nonsense), ("ce_incarnation", b"1")]) is None
    assert version_of([("ce_version", b"1"), ("ce_incarnation", nonsense)]) is None


def test_the_greatest_numbers_that_are_read_fit_their_columns() -> None:
    order = version_of([("ce_version", b"9" * 18), ("ce_incarnation", b"9" * 9)])
    assert order is not None
    assert order.number < 2**63
    assert order.incarnation < 2**31


def test_of_a_repeated_header_the_last_counts() -> None:
    assert header([("source", b"a"), ("source", b"b")], "source") == "b"


def test_a_header_that_is_not_text_is_read_all_the_same() -> None:
    assert header([("source", b"web\xffshop")], "source") == "web\ufffdshop"
