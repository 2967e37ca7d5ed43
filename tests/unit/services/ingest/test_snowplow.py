"""Snowplow's shape: every event type, its times and identities, and what is wrong with one alone."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.domain.reading import Reading, Refused
from services.ingest.domain.shapes.items import LARGEST_EVENT, MOST_EVENTS
from services.ingest.domain.shapes.snowplow import CONTENT_TYPE, from_query
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest import records
from tests.unit.services.ingest.records import APPENDED, context, identities, payload

SNOWPLOW = (("content-type", CONTENT_TYPE), ("source", b"web"))
SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1"
FIRST = 1_795_339_000_000
PERSON = {"eid": "9f1a", "uid": "u-17", "duid": "an-7"}


def accepted(value: Any) -> Interaction:
    return records.accepted(value, SNOWPLOW)


def verdict(value: Any) -> tuple[str, str, str]:
    return records.verdict(value, SNOWPLOW)


def readings(value: Any) -> list[Reading]:
    return list(records.readings(value, SNOWPLOW))


def document(*events: Any) -> dict[str, Any]:
    return {"schema": SCHEMA, "data": list(events)}


def described(schema: str, data: Any) -> str:
    return json.dumps({"schema": UNSTRUCT, "data": {"schema": schema, "data": data}})


def base64url(text: str, *, padded: bool = True) -> str:
    found = base64.urlsafe_b64encode(text.encode()).decode()
    return found if padded else found.rstrip("=")


@pytest.mark.parametrize(
    ("event", "name", "family", "said"),
    [
        (
            {"e": "pv", "url": "https://shop.example/", "page": "Home", "refr": "https://news.example/"},
            "Page Viewed",
            "view",
            {"url": "https://shop.example/", "title": "Home", "referrer": "https://news.example/"},
        ),
        (
            {"e": "pp", "url": "/", "pp_mix": "0", "pp_may": "250"},
            "Page Pinged",
            "generic",
            {"url": "/", "min_x": 0, "max_y": 250},
        ),
        (
            {"e": "se", "se_ca": "mugs", "se_ac": "Mug Broken", "se_la": "blue", "se_pr": "floor", "se_va": "9.50"},
            "Mug Broken",
            "generic",
            {"category": "mugs", "label": "blue", "property": "floor", "value": 9.5},
        ),
        ({"e": "se", "se_ca": "c", "se_ac": "a"}, "a", "generic", {"category": "c"}),
        (
            {"e": "tr", "tr_id": "o-1", "tr_tt": "61.00", "tr_cu": "EUR", "tr_ci": "Bonn"},
            "Order Completed",
            "order",
            {"order_id": "o-1", "total": {"amount": "61.00", "currency": "EUR"}},
        ),
        (
            {"e": "ti", "ti_id": "o-1", "ti_sk": "mug", "ti_pr": "30.5", "ti_qu": "2", "ti_cu": "EUR"},
            "Transaction Item",
            "generic",
            {"order_id": "o-1", "sku": "mug", "price": 30.5, "quantity": 2, "currency": "EUR"},
        ),
    ],
)
def test_every_event_type_has_its_name_family_and_payload(
    event: dict[str, Any], name: str, family: str, said: dict[str, Any]
) -> None:
    found = accepted(document({**event, **PERSON}))
    assert (found.name, found.family, payload(found), found.message_id) == (name, family, said, "9f1a")
    assert identities(found) == [("user_id", "u-17"), ("anonymous_id", "an-7")]
    assert accepted({**event, **PERSON}).payload_hash == found.payload_hash


@pytest.mark.parametrize(
    ("schema", "name", "family", "data", "said"),
    [
        ("iglu:com.acme/mug_broken/jsonschema/1-0-0", "mug_broken", "generic", {"n": 1.50}, {"n": 1.5}),
        ("iglu:com.acme/product_viewed/jsonschema/2-1-0", "Product Viewed", "browse", {"sku": "m"}, {"sku": "m"}),
        (
            "iglu:com.acme/order-completed/jsonschema/1-0-0",
            "Order Completed",
            "order",
            {"total": 5, "order_id": "o-2"},
            {"order_id": "o-2", "total": {"amount": "5", "currency": "USD"}},
        ),
        (
            "iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0",
            "Screen Viewed",
            "view",
            {"name": "Cart", "id": "s-1"},
            {"name": "Cart", "id": "s-1"},
        ),
        (
            "iglu:com.snowplowanalytics.snowplow/consent_withdrawn/jsonschema/1-0-0",
            "consent_withdrawn",
            "generic",
            {"all": True},
            {"all": True},
        ),
    ],
)
@pytest.mark.parametrize("form", ["ue_pr", "padded", "bare"])
def test_a_self_describing_event_is_named_by_its_schema_however_it_is_written(
    schema: str, name: str, family: str, data: Any, said: Any, form: str
) -> None:
    text = described(schema, data)
    pair = {"ue_pr": text} if form == "ue_pr" else {"ue_px": base64url(text, padded=form == "padded")}
    found = accepted(document({"e": "ue", **pair, **PERSON}))
    assert (found.name, found.family, payload(found)) == (name, family, said)
    assert context(found)["snowplow"]["schema"] == schema


def test_the_encoded_json_counts_when_it_is_sent_both_ways() -> None:
    one, other = (described(f"iglu:com.acme/{name}/jsonschema/1-0-0", {}) for name in ("one", "other"))
    assert accepted({"e": "ue", "ue_px": base64url(one), "ue_pr": other, **PERSON}).name == "one"


def test_base64_of_the_standard_alphabet_is_read_too() -> None:
    text = described("iglu:com.acme/x/jsonschema/1-0-0", {"a": "\u00ff\u00fe?>\u00ff\u00bf"})
    raw = base64.b64encode(text.replace("\\u00", "\\u00").encode()).decode()
    assert payload(accepted({"e": "ue", "ue_px": raw, **PERSON})) == {"a": "\u00ff\u00fe?>\u00ff\u00bf"}


@pytest.mark.parametrize("plain", [True, False])
def test_the_context_is_told_in_segments_words_and_loses_nothing(plain: bool) -> None:  # noqa: FBT001 - a parameter
    entities = [{"schema": "iglu:com.acme/user/jsonschema/1-0-0", "data": {"plan": "pro"}}]
    text = json.dumps({"schema": CONTEXTS, "data": entities})
    event = {"e": "tr", "tr_tt": "1", "tr_ci": "Bonn", "url": "/x", "lang": "de-DE", "tz": "Europe/Berlin", "ua": "M/5"}
    event |= {"ip": "10.0.0.1", "aid": "shop", "tv": "py-1.1.0", "sid": "s-1", "stm": "1"}
    event |= {"co": text} if plain else {"cx": base64url(text, padded=False)}
    assert context(accepted({**event, **PERSON})) == {
        "page": {"url": "/x"},
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
        "userAgent": "M/5",
        "ip": "10.0.0.1",
        "app": {"name": "shop"},
        "snowplow": {"pairs": {"tv": "py-1.1.0", "sid": "s-1", "tr_ci": "Bonn"}, "entities": entities},
    }


@pytest.mark.parametrize(
    ("times", "at"),
    [
        ({"dtm": str(FIRST)}, datetime.fromtimestamp(FIRST / 1000, UTC)),
        ({"dtm": FIRST}, datetime.fromtimestamp(FIRST / 1000, UTC)),
        ({"dtm": str(FIRST), "stm": str(FIRST + 5_000)}, APPENDED - timedelta(seconds=5)),
        ({"dtm": "1", "stm": "3001"}, APPENDED - timedelta(seconds=3)),
        ({"dtm": str(FIRST), "stm": str(FIRST + 5_000), "ttm": "1000"}, datetime.fromtimestamp(1, UTC)),
        ({"dtm": str(FIRST + 7_200_000), "stm": str(FIRST)}, APPENDED + timedelta(minutes=5)),
        ({"stm": str(FIRST)}, APPENDED),
        ({"dtm": None, "stm": "", "ttm": ""}, APPENDED),
    ],
)
def test_the_time_is_the_true_one_or_the_devices_corrected(times: dict[str, Any], at: datetime) -> None:
    assert accepted({"e": "pv", **times, **PERSON}).occurred_at == at


def test_a_retry_that_is_sent_later_is_the_same_event() -> None:
    first, again = (
        accepted({"e": "pv", "dtm": str(FIRST), "stm": str(FIRST + wait), **PERSON}) for wait in (0, 60_000)
    )
    assert (first.dedupe_key, first.payload_hash) == (again.dedupe_key, again.payload_hash)


def test_null_empty_and_absent_identities_are_one() -> None:
    for user in ({}, {"uid": None}, {"uid": ""}):
        assert identities(accepted({"e": "pv", "eid": "m", "duid": "an-7", **user})) == [("anonymous_id", "an-7")]


def test_an_event_without_an_id_gets_one_from_its_place() -> None:
    found = accepted(document({"e": "pv", "uid": "u-17"}))
    assert found.message_id == accepted(document({"e": "pv", "uid": "u-17"})).message_id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", ("parse", "not_json", "")),
        (b"\xff", ("parse", "not_utf8", "")),
        (b"[]", ("envelope", "wrong_type", "")),
        (b'{"a":' + b"[" * 30_000, ("limits", "too_deep", "")),
        (None, ("parse", "no_value", "")),
        ({"schema": SCHEMA, "data": None}, ("envelope", "wrong_type", "/data")),
        ({"schema": SCHEMA, "data": {"e": "pv"}}, ("envelope", "wrong_type", "/data")),
        (document(7), ("envelope", "wrong_type", "")),
        (document(b"".decode()), ("envelope", "wrong_type", "")),
        ({}, ("envelope", "missing", "/e")),
        (document({"e": ""}), ("envelope", "missing", "/e")),
        (document({"e": "xx"}), ("envelope", "unknown_type", "/e")),
        (document({"e": ["pv"]}), ("envelope", "wrong_type", "/e")),
        (document({"e": "pv", "a/b": {}}), ("envelope", "wrong_type", "/a~1b")),
        (document({"e": "pv", "x": True}), ("envelope", "wrong_type", "/x")),
        (document({"e": "pv"}), ("identity", "no_identity", "/uid")),
        (document({"e": "pv", "duid": "guest"}), ("identity", "no_identity", "/duid")),
        (document({"e": "pv", "uid": "u" * 256}), ("limits", "too_long", "/uid")),
        (document({"e": "pv", "uid": "u", "eid": "m" * 101}), ("limits", "too_long", "/eid")),
        (document({"e": "pv", "uid": "u", "dtm": "now"}), ("envelope", "not_a_time", "/dtm")),
        (document({"e": "pv", "uid": "u", "stm": "-1"}), ("envelope", "not_a_time", "/stm")),
        (document({"e": "pv", "uid": "u", "ttm": "1.5"}), ("envelope", "not_a_time", "/ttm")),
        (document({"e": "pv", "uid": "u", "ttm": "\u0661"}), ("envelope", "not_a_time", "/ttm")),
        (document({"e": "pv", "uid": "u", "dtm": "9" * 15}), ("envelope", "out_of_range", "/dtm")),
        (document({"e": "pv", "uid": "u", "dtm": "9" * 5_000}), ("envelope", "out_of_range", "/dtm")),
        (document({"e": "se", "se_ac": "a", "uid": "u"}), ("envelope", "missing", "/se_ca")),
        (document({"e": "se", "se_ca": "a", "uid": "u"}), ("envelope", "missing", "/se_ac")),
        (document({"e": "se", "se_ca": "a", "se_ac": "b", "se_va": "x"}), ("payload", "not_a_number", "/se_va")),
        (document({"e": "tr", "tr_tt": "1", "tr_cu": "euro"}), ("payload", "not_a_currency", "/tr_cu")),
        (document({"e": "tr", "tr_tt": "NaN"}), ("payload", "not_a_number", "/tr_tt")),
        (document({"e": "ti", "ti_qu": "1e400"}), ("payload", "not_a_number", "/ti_qu")),
        (document({"e": "ue", "uid": "u"}), ("envelope", "missing", "/ue_px")),
        (document({"e": "ue", "ue_px": "%%%"}), ("envelope", "not_base64", "/ue_px")),
        (document({"e": "ue", "ue_px": "A"}), ("envelope", "not_base64", "/ue_px")),
        (document({"e": "ue", "ue_px": "\u00e9"}), ("envelope", "not_base64", "/ue_px")),
        (document({"e": "ue", "ue_px": "/w=="}), ("parse", "not_utf8", "/ue_px")),
        (document({"e": "ue", "ue_px": base64url("{")}), ("parse", "not_json", "/ue_px")),
        (document({"e": "ue", "ue_pr": '{"data":' + "[" * 20_000}), ("limits", "too_deep", "/ue_pr")),
        (document({"e": "ue", "ue_pr": "[]"}), ("envelope", "wrong_type", "/ue_pr")),
        (document({"e": "ue", "ue_pr": "{}"}), ("envelope", "not_a_uri", "/ue_pr/data/schema")),
        (document({"e": "ue", "ue_pr": '{"schema": "x", "data": 1}'}), ("envelope", "wrong_type", "/ue_pr/data")),
        (document({"e": "ue", "ue_pr": described("mug", {})}), ("envelope", "not_a_uri", "/ue_pr/data/schema")),
        (
            document({"e": "ue", "uid": "u", "ue_pr": described("iglu:a/b/jsonschema/1-0-0", [])}),
            ("payload", "wrong_type", "/ue_pr/data/data"),
        ),
        (
            document({"e": "ue", "uid": "u", "ue_pr": described("iglu:a/order_completed/j/1-0-0", {"total": "x"})}),
            ("payload", "not_a_number", "/ue_pr/data/data/total"),
        ),
        (document({"e": "pv", "uid": "u", "cx": "%"}), ("envelope", "not_base64", "/cx")),
        (document({"e": "pv", "uid": "u", "co": "{"}), ("parse", "not_json", "/co")),
        (document({"e": "pv", "uid": "u", "co": '{"data": [1]}'}), ("envelope", "wrong_type", "/co/data/0")),
        (document({"e": "pv", "uid": "u", "url": "\u0000"}), ("payload", "bad_character", "")),
        (document({"e": "pv", "uid": "u", "url": "x" * LARGEST_EVENT}), ("limits", "too_large", "")),
        (document({"e": "pv", "uid": "u", "dtm": "253402300799999", "stm": "0"}), ("envelope", "out_of_range", "/dtm")),
        (document({"e": "pv", "uid": "u", "ttm": "253402300799999"}), ("envelope", "out_of_range", "/ttm")),
        (document(*[0] * (MOST_EVENTS + 1)), ("limits", "too_large", "/data")),
    ],
)
def test_what_is_wrong_is_told_by_stage_reason_and_path(value: Any, expected: tuple[str, str, str]) -> None:
    assert verdict(value) == expected


@pytest.mark.parametrize(
    "bad", [b"7", b"NaN", b'{"e": "pv", "uid": "\xff"}', b'{"e": "xx"}', b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"]
)
def test_a_bad_event_is_refused_alone_with_its_own_bytes(bad: bytes) -> None:
    good = json.dumps({"e": "pv", **PERSON}).encode()
    found = readings(b'{"schema": "x", "data": [%s, %s, %s]}' % (good, bad, good))
    assert [type(one) for one in found] == [Interaction, Refused, Interaction]
    assert isinstance(found[1], Refused)
    assert (found[1].original, found[1].source) == (bad, "web")


def test_a_refused_event_alone_is_refused_for_the_same_reason() -> None:
    (found,) = readings(document({"e": "se", "se_ca": "a", "eid": "m-9", "uid": "u"}))
    assert isinstance(found, Refused)
    assert found.message_id == "m-9"
    assert records.problem(found.original, SNOWPLOW) == found.problem


@pytest.mark.parametrize(
    ("query", "event"),
    [
        (
            b"e=pv&uid=u-17&page=T%C3%BCr+auf&url=https%3A%2F%2Fx%2F%3Fa%3D1%26b",
            {"url": "https://x/?a=1&b", "title": "Tür auf"},
        ),
        (b"e=pv&uid=u-17&page=T\xc3\xbcr&refr&&=", {"title": "Tür"}),
        (b"e=pv&uid=u-17&page=%22%5c%0a", {"title": '"\\\n'}),
    ],
)
def test_a_query_string_is_one_event(query: bytes, event: dict[str, Any]) -> None:
    assert payload(accepted(from_query(query))) == event


def test_a_query_string_that_is_no_utf_8_is_refused_and_not_changed() -> None:
    text = from_query(b"e=pv&uid=%ff")
    assert text == b'{"e": "pv", "uid": "\xff"}'
    assert verdict(text) == ("parse", "not_utf8", "")
