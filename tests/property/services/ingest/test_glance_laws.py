"""The law of the glance: what it calls surely good, reading accepts; and nothing is counted twice or not at all."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.domain.catalogue_forms import READERS
from services.ingest.domain.glance import surely_good
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.sources import Source, Strictness
from services.ingest.domain.times import instant
from shared.contracts.catalogue import FAMILY_OF, Family
from tests.property.services.ingest.strategies import calls, scalars, values
from tests.unit.services.ingest.records import READER, raw

SOURCE = Source("shop", "http")
_TIMES = [None, "2026-11-22T09:30:00Z", "2026-11-22T09:30:00", "2027-11-22T09:30:00Z", "1969-01-01T00:00:00+00:00", 5]
_IDS = st.sampled_from(["u-1", "", None, "null", "0000", 17, True, "é" * 300, " u ", "a\nb", -0.5])
_NUMBERS = st.sampled_from(
    [0, 1, -1, 10**15, 10**30, 0.5, 1e-13, 1e300, "1", "1.50", "-3.0", "1e5", "NaN", " 1", "1.0000000000001", "x" * 400]
)
_USUAL = st.one_of(scalars, _NUMBERS, st.sampled_from(["USD", "usd", "XXX", "€", "p-1", "Mug"]))
_MEMBERS = st.sampled_from(
    [
        *("order_id", "orderId", "total", "revenue", "value", "currency", "products", "lines", "product_id", "price"),
        *("quantity", "name", "category", "email", "phone", "crm_id", "purpose", "channel", "score", "metric", "scale"),
        *(
            "stage",
            "amount",
            "spend",
            "url",
            "title",
            "query",
            "deal_id",
            "ticket_id",
            "subject",
            "duration",
            "x/y",
            "é",
        ),
    ]
)
_CONTEXTS = st.sampled_from(["locale", "timezone", "ip", "traits", "externalIds"])
_LINES = st.lists(st.dictionaries(_MEMBERS, _USUAL, max_size=4) | scalars, max_size=3)
_BODIES = st.dictionaries(_MEMBERS | st.text(max_size=6), _USUAL | _LINES | values, max_size=6)
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "page", "screen", "identify", "group", "dance"]),
        "event": st.sampled_from([*FAMILY_OF, "Mug Broken", "", "a\u0000b", "x" * 256]),
        "messageId": st.sampled_from(["m-1", "m" * 101, "", None, 5, "é\u200b"]),
        "userId": _IDS,
    },
    optional={
        "anonymousId": _IDS,
        "groupId": _IDS | scalars,
        "timestamp": st.sampled_from(_TIMES),
        "originalTimestamp": st.sampled_from(_TIMES),
        "sentAt": st.sampled_from(_TIMES),
        "properties": _BODIES | scalars,
        "traits": _BODIES | scalars,
        "context": st.dictionaries(
            st.sampled_from(["locale", "timezone", "ip", "traits", "externalIds"]), _USUAL | values
        ),
    },
)
good = st.builds(
    lambda name, body: {"type": "track", "event": name, "messageId": "m-1", "userId": "u-1", "properties": body},
    st.sampled_from([*FAMILY_OF, "Mug Broken"]),
    _BODIES,
)


def accepted(value: bytes, source: Source, kind: str | None) -> int:
    reader = Reader(READER.identities, lambda _name: source)
    headers = [("source", source.name.encode())] + ([("crm_type", kind.encode())] if kind else [])
    return sum(not isinstance(reading, Refused) for reading in read(raw(value, headers), reader))


def glanced(value: bytes, source: Source, kind: str | None) -> int:
    received = instant(raw(value).timestamp)
    found, doubtful = surely_good(value, kind, source, received)
    return found + (accepted(doubtful, source, kind) if doubtful else 0)


@given(
    st.lists(events | good | calls | values, max_size=4),
    st.sampled_from([{}, {"sentAt": "2026-11-22T09:30:01Z"}, {"sentAt": "2026-11-22T09:30:01"}, {"context": {"a": 1}}]),
    st.sampled_from([SOURCE, replace(SOURCE, paused=True), replace(SOURCE, strictness=Strictness.STRICT)]),
)
def test_a_glance_and_reading_count_the_same_in_a_batch(
    batch: list[Any], around: dict[str, Any], source: Source
) -> None:
    value = json.dumps({"batch": batch, **around}).encode()
    assert glanced(value, source, None) == accepted(value, source, None)


@given(
    events | good | calls | values,
    st.sampled_from([None, "track", "identify", "page"]),
    st.sampled_from(["ascii", "utf-8"]),
)
@example({"event": "A", "userId": "u", "messageId": "m", "properties": {"a": [[]] * 40}}, "track", "ascii")
def test_a_glance_and_reading_judge_alike_alone(event: Any, kind: str | None, encoding: str) -> None:
    value = json.dumps(event, ensure_ascii=encoding == "ascii").encode("utf-8", "surrogatepass")
    assert glanced(value, SOURCE, kind) == accepted(value, SOURCE, kind)


@given(
    st.lists(
        st.sampled_from(
            [
                b'{"type":"track","event":"A","userId":"u","messageId":"m","properties":{"a":%s}}' % text
                for text in (
                    *(
                        b"1e400",
                        b"1e-400",
                        b"1.5",
                        b"NaN",
                        b'"\\u0000"',
                        b'"\\ud800"',
                        b'"\xff"',
                        b"[" * 40 + b"]" * 40,
                    ),
                    *(b"123456789012345678901234567890", b"{%s}" % b",".join(b'"%d":1' % n for n in range(1_100))),
                    b'"%s"' % (b"x" * 33_000),
                )
            ]
        ),
        max_size=4,
    )
)
def test_a_glance_and_reading_agree_about_bytes(texts: list[bytes]) -> None:
    value = b'{"batch":[%s]}' % b",".join(texts)
    assert glanced(value, SOURCE, None) == accepted(value, SOURCE, None)


_ODD: tuple[Any, ...] = (
    *(0.12345678901234567, 1.0000000000001),
    *(
        "",
        "x",
        "x" * 256,
        "x" * 20_000,
        "1",
        "-1",
        "1.5",
        "+1",
        "1e5",
        " 1",
        "1,5",
        "1.0000000000001",
        "9" * 16,
        "9" * 19,
    ),
    *("NaN", "USD", "usd", "XXX", "nps", "2026-11-22", "2026-11-22T09:30:00Z", "a/b", "é", 0, -1, 1, 10**15, 10**19),
    *(10**30, 0.5, -0.5, 1.0, 1e-7, 1e-13, 1e18, 1e300, True, None, [], {}, [{}], [5], ["x"], [{"price": "x"}]),
    *([{"price": 1.5, "currency": "XXX"}], [{"quantity": 0.5}], [{"quantity": -1}], [{"product_id": 0.5}]),
)


@pytest.mark.parametrize("family", READERS)
def test_no_odd_value_of_any_member_gets_past_a_glance(family: Family) -> None:
    reader = READERS[family]
    plain = dict.fromkeys((name for name in reader.kinds if not name.endswith("s")), "x")
    for name in (name for name, of in FAMILY_OF.items() if of is family):
        needed = {member: plain[member] for member in reader.required(name) if member in plain}
        for spelt in [*reader.spellings, "currency"]:
            for value in _ODD:
                body = {**needed, spelt: value}
                event = {"type": "track", "event": name, "messageId": "m-1", "userId": "u-1", "properties": body}
                text = json.dumps(event).encode()
                assert glanced(text, SOURCE, None) == accepted(text, SOURCE, None), text


def test_most_of_what_is_sent_leaves_no_doubt() -> None:
    call = {"userId": "u-1", "messageId": "m-1", "timestamp": "2026-11-22T09:29:00Z", "context": {"ip": "::1"}}
    lines = [{"product_id": "p-1", "quantity": 2, "price": 9.5}, {"product_id": 7, "quantity": 1, "price": "1.25"}]
    bodies = {
        "Order Completed": {"order_id": "o-1", "total": 20.25, "currency": "EUR", "products": lines},
        "Product Viewed": {"product_id": "p-1", "name": "Mug", "price": 9},
        "Products Searched": {"query": "mugs"},
        "Mug Broken": {"pieces": 4, "by": {"cat": True}},
    }
    batch = [{**call, "type": "track", "event": name, "properties": body} for name, body in bodies.items()]
    batch += [{**call, "type": "page", "name": "Home", "properties": {"url": "https://x/"}}]
    batch += [{**call, "type": "identify", "traits": {"email": "eva@example.com", "plan": "gold", "age": 41}}]
    value = json.dumps({"batch": batch}).encode()
    received = instant(raw(value).timestamp)
    assert surely_good(value, None, SOURCE, received) == (6, b"")
