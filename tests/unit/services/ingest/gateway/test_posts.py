"""What is written of a body: as it was sent, but with ids, without secrets, and never too much at once."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from services.ingest.domain.posts import LARGEST_RECORD, MOST_EVENTS, SEGMENT, SNOWPLOW, Form, Piece, pieces
from services.ingest.domain.problems import Problem
from tests.unit.services.ingest.gateway.case import GOOD, batch, text
from tests.unit.services.ingest.gateway.gateways import KEY

TIMED = {"type": "track", "event": "A", "userId": "u", "timestamp": "2026-11-22T09:30:00Z"}
UNTIMED = {"type": "track", "event": "A", "userId": "u"}


def divided(body: bytes, form: Form = SEGMENT, source: str = "shop") -> Sequence[Piece]:
    found = pieces(body, form, source, lambda: "made-up")
    assert not isinstance(found, Problem)
    return found


def events(body: bytes, form: Form = SEGMENT, source: str = "shop") -> list[Any]:
    return [event for piece in divided(body, form, source) for event in json.loads(piece.value)[form.items]]


def one(event: dict[str, Any], source: str = "shop") -> Any:
    (piece,) = divided(text(event), source=source)
    assert piece.alone
    return json.loads(piece.value)


def test_what_is_fine_stays_byte_for_byte() -> None:
    body = b'  {"batch" : [ %s ], "extra":1e2, "context":{"a":"\xc3\xa9"}}\n' % text(GOOD)
    assert divided(body) == (Piece(body, 1, alone=False),)
    assert divided(text(GOOD)) == (Piece(text(GOOD), 1, alone=True),)


@pytest.mark.parametrize("said", [{}, {"messageId": None}, {"messageId": ""}])
def test_an_event_without_an_id_gets_one(said: dict[str, Any]) -> None:
    assert one({**UNTIMED, **said})["messageId"] == "made-up"
    assert [event["messageId"] for event in events(batch(GOOD, {**UNTIMED, **said}))] == ["m-1", "made-up"]


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp"])
def test_an_event_that_says_when_it_happened_has_the_same_id_each_time(name: str) -> None:
    event = {**UNTIMED, name: "2026-11-22T09:30:00Z"}
    first = one({**event, "sentAt": "2026-11-22T09:30:01Z"})["messageId"]
    assert UUID(first).version == 5
    assert one({**event, "sentAt": "2026-11-22T09:31:00Z", "writeKey": KEY.text})["messageId"] == first
    assert one(dict(reversed(event.items())))["messageId"] == first
    assert events(batch(event))[0]["messageId"] == first
    assert one({**event, "messageId": None})["messageId"] == first
    assert one({**event, "event": "B"})["messageId"] != first
    assert one(event, "other")["messageId"] != first


def test_an_id_is_added_and_nothing_else_is_changed() -> None:
    body = b'{"type":"track", "event":"A","userId":"u","properties":{"n":1.0e+2,"a":"\xc3\xa9\\u00e9"} } '
    (piece,) = divided(body)
    assert piece.value == body.rstrip()[:-1] + b',"messageId":"made-up"}'
    assert divided(b"{}")[0].value == b'{"messageId":"made-up"}'


def test_the_events_of_snowplow_are_known_by_their_eid() -> None:
    found = events(text({"schema": "iglu:x", "data": [{"e": "pv"}, {"e": "pv", "eid": "e-1"}]}), SNOWPLOW)
    assert [event["eid"] for event in found] == ["made-up", "e-1"]
    timed = {"e": "pv", "dtm": "1795339801000"}
    first, second = (
        events(text({"data": [{**timed, "stm": sent}]}), SNOWPLOW)[0]["eid"]
        for sent in ("1795339802000", "1795339809000")
    )
    assert first == second
    assert UUID(first).version == 5


def test_no_secret_is_written_wherever_it_stands() -> None:
    secret = KEY.text[len("rk_12345678_") :]
    for body in (
        batch(GOOD, {**GOOD, "writeKey": KEY.text}, writeKey=KEY.text),
        text({**UNTIMED, "writeKey": KEY.text, "context": {"page": {"url": f"https://x/?k={KEY.text}"}}}),
        b'{"writeKey":"%s","batch":[%s,{"a":NaN}]}' % (KEY.text.encode(), text(GOOD)),
        b'{"writeKey":"%s","event":"A","userId":"u","properties":{"a":NaN}}' % KEY.text.encode(),
    ):
        written = b"".join(piece.value for piece in divided(body))
        assert secret.encode() not in written
        assert KEY.id.encode() in written


def test_a_batch_that_is_large_is_split_between_its_events_and_all_know_what_is_said_about_all() -> None:
    many = [{**GOOD, "messageId": f"m-{n}", "properties": {"filling": "x" * 20_000}} for n in range(100)]
    found = divided(batch(*many, context={"locale": "de-DE"}, sentAt="2026-11-22T09:30:01Z"))
    assert len(found) > 1
    assert all(len(piece.value) <= LARGEST_RECORD and not piece.alone for piece in found)
    documents = [json.loads(piece.value) for piece in found]
    assert [event for document in documents for event in document["batch"]] == many
    assert [len(document["batch"]) for document in documents] == [piece.events for piece in found]
    assert {json.dumps([document["context"], document["sentAt"]]) for document in documents} == {
        '[{"locale": "de-DE"}, "2026-11-22T09:30:01Z"]'
    }


def test_a_batch_of_many_small_events_is_split_too() -> None:
    found = divided(batch(*[GOOD] * 2_500))
    assert [piece.events for piece in found] == [1_000, 1_000, 500]


def test_one_event_that_is_larger_than_a_record_stays_whole() -> None:
    large = {**GOOD, "properties": {"filling": "x" * LARGEST_RECORD}}
    assert events(batch(GOOD, large, GOOD)) == [GOOD, large, GOOD]
    assert len(divided(batch(GOOD, large, GOOD))) == 3


def test_what_would_grow_by_being_split_stays_together_and_is_refused_together() -> None:
    too_many = batch(*[{}] * (MOST_EVENTS + 1))
    assert divided(too_many) == (Piece(too_many, MOST_EVENTS + 1, alone=False),)
    much_around = batch(*[GOOD] * 2_000, context={"filling": "x" * 40_000})
    assert divided(much_around) == (Piece(much_around, 2_000, alone=False),)


def test_an_envelope_whose_size_nobody_reads_costs_no_event() -> None:
    found = divided(batch(*[GOOD] * 2_000, context={"locale": "de-DE"}, rubbish="x" * 40_000))
    assert [piece.events for piece in found] == [1_000, 1_000]
    assert json.loads(found[0].value)["context"] == {"locale": "de-DE"}


def test_an_event_that_is_no_json_costs_no_other() -> None:
    body = b'{"batch":[%s,{"a":NaN},{"b":"\xff"},%s]}' % (text(UNTIMED), text(GOOD))
    (piece,) = divided(body)
    assert piece.events == 4
    assert b'"made-up"' in piece.value
    assert b'{"a":NaN},{"b":"\xff"' in piece.value


def test_what_is_no_json_at_all_is_a_problem() -> None:
    for body in (b"", b"abc", b'{"batch":[{}', b"\x89PNG", b'{"a":1}{"b":2}'):
        assert isinstance(pieces(body, SEGMENT, "shop", str), Problem), body


def test_a_batch_that_is_there_twice_hides_no_event() -> None:
    other = {**GOOD, "messageId": "m-2"}
    assert events(b'{"batch":[%s],"batch":[%s]}' % (text(GOOD), text(other))) == [GOOD, other]
    # A member of the same name within an event is none of the batch's.
    within = {**GOOD, "properties": {"batch": [1]}}
    assert events(batch(within, other)) == [within, other]
    assert events(batch(within)) == [within]
