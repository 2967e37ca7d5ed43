"""What an order may hold: exact money, and every part of it checked."""

import json
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import (
    accepted,
    order,
    payload,
    problem,
    readings,
    refused,
    track,
    verdict,
)


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


@pytest.mark.parametrize("number", ["5e-324", "2.2e-311", "1.7976931348623157e308"])
def test_every_number_that_a_double_holds_is_taken(number: str) -> None:
    value = '{"type": "track", "event": "Any", "userId": "u", "properties": {"x": %s}, "context": {"y": %s}}'
    assert payload(accepted((value % (number, number)).encode()))["x"] == float(number)


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
