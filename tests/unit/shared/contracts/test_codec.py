"""Bytes on our topics: read strictly, refused in words that hold no value."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.contracts.codec import MalformedMessageError, canonical, decode, encode, raw
from shared.contracts.customers import Consent, CustomerRecord, Trait
from shared.contracts.interactions import Interaction
from shared.contracts.segments import SegmentChange

AT = b'"at":"2026-11-22T09:30:01Z"'


def reason(kind: type[msgspec.Struct], data: bytes) -> str:
    with pytest.raises(MalformedMessageError) as refused:
        decode(kind, data)
    return str(refused.value)


@pytest.mark.parametrize("kind", [Interaction, CustomerRecord, SegmentChange])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"customer_id": 7}',
        b"\xff\xfe",
        b'{"customer_id": "\xff"}',
        b'{"payload": ' + b"[" * 100_000,
        b'{"traits": {"a": {"value": ' + b"[" * 100_000,
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else value.__name__,
)
def test_what_is_no_such_message_is_refused_in_words(kind: type[msgspec.Struct], data: bytes) -> None:
    assert reason(kind, data)


def test_a_number_that_no_decimal_holds_is_refused() -> None:
    assert reason(Trait, b'{"value":1e99999999999999999999,"source":"s",' + AT + b"}") == "Number out of range"


@pytest.mark.parametrize("value", ["eva@example.com", "o'hara", "a' - at `$.x`", "two\\nlines"])
def test_a_refusal_names_the_path_and_never_the_value(value: str) -> None:
    data = b'{"state":"%s",%s}' % (value.encode(), AT)
    assert reason(Consent, data) == "Invalid enum value - at `$.state`"


def test_numbers_keep_every_digit_both_ways() -> None:
    data = b'{"value":{"price":17.750000000000000000001},"source":"s",' + AT + b"}"
    trait = decode(Trait, data)
    assert trait.value == {"price": Decimal("17.750000000000000000001")}
    assert encode(trait) == data


def test_fields_that_a_newer_version_adds_are_no_hindrance() -> None:
    assert decode(Trait, b'{"value":1,"source":"s","added":{},' + AT + b"}").value == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1}), ({"a": [1, 2]}, {"a": (1, 2)})],
)
def test_equal_values_have_the_same_canonical_bytes(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


def test_different_values_have_different_canonical_bytes() -> None:
    assert len({canonical(value) for value in ({"a": 1}, {"a": "1"}, {"a": None}, {}, {"a": [1]}, {"b": 1})}) == 6


def test_an_object_is_kept_as_its_bytes() -> None:
    assert bytes(raw({"total": Decimal("35.50")})) == b'{"total":35.50}'
