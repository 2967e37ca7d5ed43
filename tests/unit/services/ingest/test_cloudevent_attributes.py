"""CloudEvents 1.0, section 3: every attribute in every state that the specification tells apart, in each mode."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import Headers, accepted, context, identities, payload, readings, verdict

ATTRIBUTES = {"specversion": "1.0", "id": "e-1", "source": "/shop/eu", "type": "Mug Broken", "subject": "u-17"}
REQUIRED = ("specversion", "id", "source", "type")
OPTIONAL = ("subject", "time", "dataschema", "datacontenttype")
_JSON: Headers = [("content-type", b"application/cloudevents+json")]
_BATCH: Headers = [("content-type", b"application/cloudevents-batch+json")]

Sent = tuple[Any, Headers]


def structured(attributes: dict[str, Any]) -> Sent:
    return attributes, _JSON


def batched(attributes: dict[str, Any]) -> Sent:
    return [attributes], _BATCH


def binary(attributes: dict[str, Any]) -> Sent:
    """Write attributes as the Kafka binding does: the content type has a header of its own."""
    headers: Any = [
        ("content-type" if name == "datacontenttype" else f"ce_{name}", None if value is None else value.encode())
        for name, value in attributes.items()
    ]
    return b"{}", headers


MODES = [structured, batched, binary]
Mode = Callable[[dict[str, Any]], Sent]


def place(mode: Mode, name: str) -> str:
    if mode is not binary:
        return f"/{name}"
    return "/headers/content-type" if name == "datacontenttype" else f"/headers/ce_{name}"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ATTRIBUTES.items() if key != name}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_attribute_is_there_and_says_something(mode: Mode, name: str) -> None:
    assert verdict(*mode(without(name))) == ("envelope", "missing", place(mode, name))
    assert verdict(*mode(ATTRIBUTES | {name: None})) == ("envelope", "missing", place(mode, name))
    assert verdict(*mode(ATTRIBUTES | {name: ""})) == ("envelope", "empty", place(mode, name))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_attribute_may_be_absent_or_null_and_never_empty(mode: Mode, name: str) -> None:
    known = {"anonymousid": "an-7"}
    assert accepted(*mode(without(name) | known)).message_id == "e-1"
    assert accepted(*mode(without(name) | known | {name: None})).message_id == "e-1"
    if mode is not binary or name != "datacontenttype":
        assert verdict(*mode(without(name) | known | {name: ""})) == ("envelope", "empty", place(mode, name))


@pytest.mark.parametrize("mode", [structured, batched])
@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL, "anonymousid"])
@pytest.mark.parametrize("value", [0, 1, 1.5, True, False, [], ["1.0"], {}, {"a": "1.0"}], ids=json.dumps)
def test_an_attribute_of_a_json_type_that_is_not_its_own_is_refused(mode: Mode, name: str, value: Any) -> None:
    assert verdict(*mode(ATTRIBUTES | {name: value})) == ("envelope", "wrong_type", f"/{name}")


@pytest.mark.parametrize("value", [1.5, [], ["a"], {}, {"a": 1}], ids=json.dumps)
def test_an_extension_is_no_structure_and_no_fraction(value: Any) -> None:
    assert verdict(*structured(ATTRIBUTES | {"extra": value})) == ("envelope", "wrong_type", "/extra")


@pytest.mark.parametrize(
    ("value", "fits"), [(2**31 - 1, True), (-(2**31), True), (2**31, False), (-(2**31) - 1, False), (2**63, False)]
)
def test_an_integer_of_an_extension_has_32_bits(value: int, fits: bool) -> None:  # noqa: FBT001 - a parameter of the test
    event = ATTRIBUTES | {"extra": value}
    if fits:
        assert context(accepted(*structured(event))) == {"extensions": {"extra": value}}
    else:
        assert verdict(*structured(event)) == ("envelope", "out_of_range", "/extra")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["ID", "Extra", "extraName", "extra_name", "extra-name", "\u00e4", "e xtra", "extra."])
def test_a_name_has_lower_case_letters_and_digits_alone(mode: Mode, name: str) -> None:
    assert verdict(*mode(ATTRIBUTES | {name: "x"})) == ("envelope", "bad_attribute_name", place(mode, name))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-11-22T09:30:00", "no_offset"),
        ("2026-11-22T09:30:00.5", "no_offset"),
        ("2026-11-22t09:30:00", "no_offset"),
        ("2026-11-22T09:30:00+01", "not_a_time"),
        ("2026-11-22T09:30:00+0100", "not_a_time"),
        ("2026-11-22T09:30:00 Z", "not_a_time"),
        ("2026-11-22T09:30:00,5Z", "not_a_time"),
        ("2026-11-22T9:30:00Z", "not_a_time"),
        ("2026-11-22T24:00:00Z", "not_a_time"),
        ("2026-02-30T09:30:00Z", "not_a_time"),
        ("2026-W47-7T09:30:00Z", "not_a_time"),
        ("20261122T093000Z", "not_a_time"),
        ("1795339801", "not_a_time"),
        ("9999-12-31T23:59:59Z", "out_of_range"),
        ("1969-12-31T23:59:59Z", "out_of_range"),
        ("0001-01-01T00:00:00+14:00", "out_of_range"),
    ],
)
def test_a_time_that_is_none_or_lies_far_off_is_refused(mode: Mode, time: str, reason: str) -> None:
    assert verdict(*mode(ATTRIBUTES | {"time": time})) == ("envelope", reason, place(mode, "time"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00+00:00"),
        ("2026-11-22T09:30:00-00:00", "2026-11-22T09:30:00+00:00"),
        ("2026-11-22T20:15:00.25+13:45", "2026-11-22T06:30:00.250000+00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_with_any_offset_is_one_instant(mode: Mode, time: str, at: str) -> None:
    assert accepted(*mode(ATTRIBUTES | {"time": time})).occurred_at.isoformat() == at


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, {}),
        ({"data": None}, {}),
        ({"data": {}}, {}),
        ({"data": {"n": 1}}, {"n": 1}),
        ({"data": None, "data_base64": None}, {}),
        ({"data_base64": "eyJuIjogMX0="}, {"n": 1}),
        ({"data": None, "data_base64": "eyJuIjogMX0="}, {"n": 1}),
        ({"data": {"n": 1}, "data_base64": None}, {"n": 1}),
        ({"data_base64": ""}, {}),
        ({"data_base64": "bnVsbA=="}, {}),
    ],
)
def test_data_is_said_in_one_of_two_ways_or_not_at_all(data: dict[str, Any], said: dict[str, Any]) -> None:
    for mode in (structured, batched):
        assert payload(accepted(*mode(ATTRIBUTES | data))) == said


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"data": {}, "data_base64": ""}, ("envelope", "data_twice", "/data_base64")),
        ({"data": 0, "data_base64": "e30="}, ("envelope", "data_twice", "/data_base64")),
        ({"data": False}, ("payload", "wrong_type", "/data")),
        ({"data": ""}, ("payload", "wrong_type", "/data")),
        ({"data_base64": []}, ("envelope", "wrong_type", "/data_base64")),
        ({"data_base64": "eyJuIjogMX0"}, ("envelope", "not_base64", "/data_base64")),
        ({"data_base64": "e30=\n"}, ("envelope", "not_base64", "/data_base64")),
        ({"data_base64": "W10="}, ("payload", "wrong_type", "/data_base64")),
        ({"data_base64": "/w=="}, ("parse", "not_utf8", "/data_base64")),
        ({"Data": {}}, ("envelope", "bad_attribute_name", "/Data")),
        ({"DATA_BASE64": "e30="}, ("envelope", "bad_attribute_name", "/DATA_BASE64")),
    ],
)
def test_data_that_is_no_json_object_is_told_by_its_place(data: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert verdict(*structured(ATTRIBUTES | data)) == expected


def test_headers_of_a_binary_event_that_are_not_its_attributes_are_left_alone() -> None:
    value, headers = binary(ATTRIBUTES)
    odd: Any = [
        ("ce", b"x"),
        ("ce-id", b"other"),
        ("cloudEvents:id", b"x"),
        ("", b""),
        ("x\0", b"\xff"),
        ("ce_extra", None),
    ]
    found = accepted(value, [*odd, *headers])
    assert (found.message_id, found.source, context(found)) == ("e-1", "/shop/eu", {})


def test_of_a_header_that_stands_twice_the_last_counts() -> None:
    value, headers = binary(ATTRIBUTES)
    found = accepted(value, [("ce_id", b"first"), *headers, ("ce_subject", b"u-18")])
    assert (found.message_id, identities(found)) == ("e-1", [("user_id", "u-18")])


@pytest.mark.parametrize("header", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_subject", "ce_extra", "content-type"])
def test_a_header_that_is_no_utf_8_is_told_by_its_name(name: str, header: bytes) -> None:
    value, headers = binary(ATTRIBUTES)
    assert verdict(value, [*headers, (name, header)]) == ("parse", "not_utf8", f"/headers/{name}")


def test_the_events_of_a_batch_stand_or_fall_alone_whatever_is_wrong_with_one() -> None:
    wrong: list[Any] = [{}, None, 1, [], "event", without("id"), ATTRIBUTES | {"time": "now"}, ATTRIBUTES | {"data": 5}]
    for one in wrong:
        found = readings([ATTRIBUTES, one, ATTRIBUTES | {"id": "e-2"}], _BATCH)
        assert [type(reading) for reading in found] == [Interaction, Refused, Interaction], one


def test_a_structured_batch_in_a_single_record_is_no_event() -> None:
    assert verdict([ATTRIBUTES], _JSON) == ("envelope", "wrong_type", "")
    assert verdict(ATTRIBUTES, _BATCH) == ("envelope", "wrong_type", "")


def test_the_content_type_decides_where_headers_also_look_like_a_binary_event() -> None:
    _, headers = binary(ATTRIBUTES | {"id": "of the header"})
    assert accepted(ATTRIBUTES, [*headers, *_JSON]).message_id == "e-1"
