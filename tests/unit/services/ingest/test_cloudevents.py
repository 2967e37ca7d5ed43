"""CloudEvents 1.0 over Kafka, case by case from the specification, the JSON format and the Kafka binding."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.ingest.domain.reading import Refused
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import (
    Headers,
    accepted,
    context,
    identities,
    payload,
    readings,
    refused,
    verdict,
)

STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
BATCHED: Headers = [("content-type", b"application/cloudevents-batch+json")]
ATTRIBUTES = {"specversion": "1.0", "id": "e-1", "source": "/shop/eu", "type": "Mug Broken", "subject": "u-17"}
NOTHING: Any = object()


def event(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (ATTRIBUTES | changes).items() if value is not NOTHING}


def binary(attributes: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(f"ce_{name}", value.encode()) for name, value in attributes.items()]


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"application/cloudevents",
        b"application/CloudEvents+JSON; charset=utf-8",
        b" APPLICATION/CLOUDEVENTS+json",
    ],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_the_media_type_makes_a_record_structured_in_any_case(content_type: bytes, name: str) -> None:
    found = accepted(event(data={"n": 1}), [(name, content_type)])
    assert (found.name, found.source, found.message_id, payload(found)) == ("Mug Broken", "/shop/eu", "e-1", {"n": 1})
    assert identities(found) == [("user_id", "u-17")]


def test_structured_attributes_become_an_interaction() -> None:
    full = event(
        time="2026-11-22T08:30:00.5+01:00",
        anonymousid="an-7",
        datacontenttype="application/json",
        dataschema="https://example.com/mug.json",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        retries=3,
        sampled=True,
        data={"n": 1.50},
    )
    found = accepted(full, [*STRUCTURED, ("source", b"a gateway's")])
    assert found.source == "/shop/eu"
    assert found.occurred_at.isoformat() == "2026-11-22T07:30:00.500000+00:00"
    assert identities(found) == [("user_id", "u-17"), ("anonymous_id", "an-7")]
    assert bytes(found.payload) == b'{"n":1.5}'
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert context(found) == {"extensions": {"retries": 3, "sampled": True, "traceparent": trace}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Required attributes: missing, null, empty, of another type.
        *[({name: NOTHING}, ("missing", f"/{name}")) for name in ("specversion", "id", "source", "type")],
        *[({name: None}, ("missing", f"/{name}")) for name in ("specversion", "id", "source", "type")],
        *[({name: ""}, ("empty", f"/{name}")) for name in ("specversion", "id", "source", "type")],
        *[({name: 1.0}, ("wrong_type", f"/{name}")) for name in ("specversion", "id", "source", "type")],
        *[({name: {}}, ("wrong_type", f"/{name}")) for name in ("id", "source", "type")],
        ({"specversion": "0.3"}, ("unsupported_version", "/specversion")),
        ({"specversion": "1.0.2"}, ("unsupported_version", "/specversion")),
        ({"source": "not a uri"}, ("not_a_uri", "/source")),
        ({"source": "/caf\u00e9"}, ("not_a_uri", "/source")),
        ({"source": "/100%"}, ("not_a_uri", "/source")),
        ({"source": "/" + "s" * 255}, ("too_long", "/source")),
        ({"id": "e" * 101}, ("too_long", "/id")),
        ({"id": "e\u0000"}, ("bad_character", "/id")),
        ({"type": "t" * 256}, ("too_long", "/type")),
        # Optional attributes: empty, of another type, of another form.
        *[({name: ""}, ("empty", f"/{name}")) for name in ("subject", "time", "dataschema", "datacontenttype")],
        *[({name: 5}, ("wrong_type", f"/{name}")) for name in ("subject", "time", "dataschema", "datacontenttype")],
        *[
            ({"time": text}, ("not_a_time", "/time"))
            for text in ("2026-11-22", "2026-11-22 09:30:00Z", "09:30:00Z", "2026-13-22T09:30:00Z", "2026-11-22T09:30Z")
        ],
        ({"time": "2026-11-22T09:30:61Z"}, ("not_a_time", "/time")),
        ({"time": "2026-11-22T09:30:00"}, ("no_offset", "/time")),
        ({"dataschema": "mug.json"}, ("not_a_uri", "/dataschema")),
        ({"datacontenttype": "text/xml"}, ("unsupported_content_type", "/datacontenttype")),
        ({"datacontenttype": "application/jsonp"}, ("unsupported_content_type", "/datacontenttype")),
        # Names are lower-case letters and digits.
        ({"specversion": NOTHING, "specVersion": "1.0"}, ("bad_attribute_name", "/specVersion")),
        ({"anonymousId": "an-7"}, ("bad_attribute_name", "/anonymousId")),
        ({"my_extension": "x"}, ("bad_attribute_name", "/my_extension")),
        ({"a/b~": "x"}, ("bad_attribute_name", "/a~1b~0")),
        ({"": "x"}, ("bad_attribute_name", "/")),
        # Extensions are strings, booleans or integers of 32 bits.
        ({"anonymousid": 5}, ("wrong_type", "/anonymousid")),
        ({"extension": {"a": 1}}, ("wrong_type", "/extension")),
        ({"extension": [1]}, ("wrong_type", "/extension")),
        ({"extension": 1.5}, ("wrong_type", "/extension")),
        ({"extension": 2**31}, ("out_of_range", "/extension")),
        ({"extension": "\u0000"}, ("bad_character", "")),
        # Data.
        ({"data": {}, "data_base64": "e30="}, ("data_twice", "/data_base64")),
        ({"data_base64": "not base64!"}, ("not_base64", "/data_base64")),
        ({"data_base64": "\u00e4"}, ("not_base64", "/data_base64")),
        ({"data_base64": 5}, ("wrong_type", "/data_base64")),
        ({"data_base64": base64.b64encode(b"<mug/>").decode()}, ("not_json", "/data_base64")),
        ({"data": "mug"}, ("wrong_type", "/data")),
        ({"data": [1]}, ("wrong_type", "/data")),
        ({"type": "Order Completed", "data": {"total": "a lot"}}, ("not_a_number", "/data/total")),
        ({"subject": NOTHING}, ("no_identity", "/subject")),
        ({"subject": "unknown", "anonymousid": ""}, ("no_identity", "/subject")),
        ({"data": {"pad": "x" * 33_000}}, ("too_large", "")),
    ],
)
def test_an_invalid_structured_event_is_refused_for_what_the_specification_says(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert verdict(event(**changes), STRUCTURED)[1:] == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": None, "anonymousid": "an-7"},
        {"time": None},
        {"dataschema": None},
        {"datacontenttype": None},
        {"extension": None},
        {"data": None},
        {"data": None, "data_base64": base64.b64encode(b"{}").decode()},
        {"data": {}, "data_base64": None},
        {"data_base64": ""},
        {"time": "2026-11-22t09:30:00z"},
        {"time": "2026-11-22T09:30:00.123456789-00:00"},
        {"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"},
        {"source": "mailto:cncf-wg-serverless@lists.cncf.io"},
        {"source": "/caf%C3%A9?x=1#y"},
        {"datacontenttype": "application/vnd.shop.mug+json; v=1"},
        {"datacontenttype": "text/json"},
        {"extension": -(2**31) + 1},
        {"extension": ""},
        {"anonymousid": ""},
        {"abcdefghijklmnopqrst1": "x"},
    ],
)
def test_a_valid_structured_event_is_accepted(changes: dict[str, Any]) -> None:
    assert accepted(event(**changes), STRUCTURED).name == "Mug Broken"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", ("parse", "not_json", "")),
        (b"\xff", ("parse", "not_utf8", "")),
        (b"[]", ("envelope", "wrong_type", "")),
        (b"{", ("parse", "not_json", "")),
        (None, ("parse", "no_value", "")),
        (b'{"id": ' + b"[" * 30_000, ("limits", "too_deep", "")),
    ],
)
def test_bytes_that_are_no_structured_event_are_refused(value: bytes | None, expected: tuple[str, str, str]) -> None:
    assert verdict(value, STRUCTURED) == expected


def test_encoded_data_is_read_as_plain_data_is() -> None:
    data = {"total": "12.50"}
    encoded = base64.b64encode(json.dumps(data).encode()).decode()
    plain = accepted(event(type="Order Completed", data=data), STRUCTURED)
    assert accepted(event(type="Order Completed", data_base64=encoded), STRUCTURED).payload_hash == plain.payload_hash


def test_a_batch_is_events_that_stand_or_fall_alone() -> None:
    bad = event(id="e-2", type="")
    first, second, third = readings([event(), bad, event(id="e-3")], BATCHED)
    assert isinstance(first, Interaction)
    assert isinstance(third, Interaction)
    assert isinstance(second, Refused)
    assert (second.original, second.message_id, second.source) == (json.dumps(bad).encode(), "e-2", "/shop/eu")
    assert readings([], BATCHED) == []
    broken = json.dumps(event(data={"n": float("nan")})).encode()
    whole = b"[%s, %s]" % (broken, json.dumps(event()).encode())
    assert [type(one) for one in readings(whole, BATCHED)] == [Refused, Interaction]
    assert verdict(whole + b" and more", BATCHED) == ("parse", "not_json", "")
    assert verdict({}, BATCHED) == ("envelope", "wrong_type", "")
    assert verdict([1], BATCHED) == ("envelope", "wrong_type", "")


def test_binary_headers_become_the_same_interaction_as_a_structured_event() -> None:
    attributes = ATTRIBUTES | {"time": "2026-11-22T09:00:00Z", "anonymousid": "an-7", "shard": "x"}
    headers = [*binary(attributes), ("content-type", b"application/json")]
    assert accepted({"n": 1}, headers) == accepted({**attributes, "data": {"n": 1}}, STRUCTURED)


@pytest.mark.parametrize("value", [None, b"", b"{}", b"null"])
def test_a_binary_event_may_be_without_data(value: bytes | None) -> None:
    assert payload(accepted(value, binary(ATTRIBUTES))) == {}


@pytest.mark.parametrize(
    ("value", "headers", "expected"),
    [
        (b"{}", binary(ATTRIBUTES)[1:], ("envelope", "missing", "/headers/ce_specversion")),
        (b"{}", [*binary(ATTRIBUTES), ("ce_id", b"")], ("envelope", "empty", "/headers/ce_id")),
        (b"{}", [*binary(ATTRIBUTES), ("ce_id", b"\xff")], ("parse", "not_utf8", "/headers/ce_id")),
        (b"{}", [*binary(ATTRIBUTES), ("ce_time", b"now")], ("envelope", "not_a_time", "/headers/ce_time")),
        (b"{}", [*binary(ATTRIBUTES), ("ce_Extra", b"x")], ("envelope", "bad_attribute_name", "/headers/ce_Extra")),
        (b"{}", [*binary(ATTRIBUTES), ("CE_ID", b"x")], ("envelope", "bad_attribute_name", "/headers/ce_CE_ID")),
        (
            b"<mug/>",
            [*binary(ATTRIBUTES), ("content-type", b"text/xml")],
            ("envelope", "unsupported_content_type", "/headers/content-type"),
        ),
        (b"{}", [*binary(ATTRIBUTES), ("content-type", b"\xff")], ("parse", "not_utf8", "/headers/content-type")),
        (b"<mug/>", binary(ATTRIBUTES), ("parse", "not_json", "")),
        (b"[]", binary(ATTRIBUTES), ("payload", "wrong_type", "")),
        (b'{"total": "x"}', binary(ATTRIBUTES | {"type": "Order Completed"}), ("payload", "not_a_number", "/total")),
        (b"{}", binary(ATTRIBUTES | {"subject": "null"}), ("identity", "no_identity", "/headers/ce_subject")),
    ],
)
def test_an_invalid_binary_event_is_refused_by_the_header_that_is_wrong(
    value: bytes, headers: Headers, expected: tuple[str, str, str]
) -> None:
    assert verdict(value, headers) == expected


def test_a_null_header_is_no_attribute() -> None:
    headers: Any = [*binary(ATTRIBUTES), ("ce_time", None)]
    assert accepted(b"{}", headers).message_id == "e-1"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("identify", "Identify", {"traits": {"plan": "pro"}}),
        ("Identify", "Identify", {"traits": {"plan": "pro"}}),
        ("page", "Page Viewed", {"plan": "pro"}),
    ],
)
def test_the_calls_of_segment_keep_their_meaning_as_types(kind: str, name: str, said: dict[str, Any]) -> None:
    found = accepted(event(type=kind, data={"plan": "pro"}), STRUCTURED)
    assert (found.name, payload(found)) == (name, said)


def test_a_group_is_named_in_its_data() -> None:
    found = accepted(event(type="group", data={"groupId": "g-1", "plan": "pro"}), STRUCTURED)
    assert (found.name, payload(found)) == ("Group Joined", {"group_id": "g-1", "plan": "pro"})
    assert verdict(event(type="group", data={}), STRUCTURED) == ("payload", "missing", "/data/group_id")


def test_a_refused_event_keeps_what_it_was() -> None:
    found = refused(event(data=1), STRUCTURED)
    assert found.original == json.dumps(event(data=1)).encode()
    assert (found.message_id, found.source, found.around) == ("e-1", "/shop/eu", None)
