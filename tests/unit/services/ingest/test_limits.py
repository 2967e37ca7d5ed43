"""No event is so large, so deep or so odd that reading it costs more than its size."""

import json
import time
from typing import Any

import pytest

from services.ingest.domain.limits import MOST_MEMBERS
from services.ingest.domain.reading import Refused
from services.ingest.domain.shapes.items import LARGEST_EVENT
from shared.contracts.interactions import Interaction
from shared.contracts.vocabulary import LONGEST_ID, LONGEST_TEXT
from tests.unit.services.ingest.records import accepted, payload, readings, track, verdict


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return {"a": value}


def members(count: int) -> dict[str, int]:
    return {f"k{number}": 1 for number in range(count)}


def test_objects_may_lie_in_each_other_to_a_limit() -> None:
    assert accepted(track("Any", properties=nested(31))).name == "Any"
    assert verdict(track("Any", properties=nested(32))) == ("limits", "too_deep", "/properties")
    assert verdict(track(context=nested(32))) == ("limits", "too_deep", "/context")
    flat: dict[str, list[int]] = {str(n): [] for n in range(100)}
    assert accepted(track("Any", properties=flat)).name == "Any"


def test_an_object_has_members_to_a_limit() -> None:
    assert len(payload(accepted(track("Any", properties=members(MOST_MEMBERS))))) == MOST_MEMBERS
    too_many = members(MOST_MEMBERS + 1)
    assert verdict(track("Any", properties=too_many)) == ("limits", "too_large", "/properties")
    assert verdict(track("Any", properties={"a": [1, too_many]})) == ("limits", "too_large", "/properties/a/1")
    assert verdict(track("Lead Created", properties=too_many)) == ("limits", "too_large", "/properties")
    assert verdict(track(context={"a/b": too_many})) == ("limits", "too_large", "/context/a~1b")
    some = {str(number): members(100) for number in range(20)}
    assert accepted(track("Any", properties=some)).name == "Any"
    assert accepted(track("Any", properties={"text": ":" * 2 * MOST_MEMBERS})).name == "Any"


def test_an_event_may_have_so_many_bytes_and_not_one_more() -> None:
    shell = len(json.dumps(track("Any", properties={"pad": ""})))
    fits = track("Any", properties={"pad": "x" * (LARGEST_EVENT - shell)})
    assert len(json.dumps(fits)) == LARGEST_EVENT
    assert accepted(fits).name == "Any"
    fits["properties"]["pad"] += "x"
    assert verdict(fits) == ("limits", "too_large", "")
    assert verdict({"batch": [fits]}) == ("limits", "too_large", "")


@pytest.mark.parametrize(
    ("name", "longest"), [("ticket_id", LONGEST_ID), ("subject", LONGEST_TEXT), ("status", LONGEST_TEXT)]
)
def test_a_named_member_has_characters_to_a_limit(name: str, longest: int) -> None:
    def ticket(length: int) -> Any:
        return track("Ticket Opened", properties={"ticket_id": "t-1", name: "x" * length})

    assert payload(accepted(ticket(longest)))[name] == "x" * longest
    assert verdict(ticket(longest + 1)) == ("limits", "too_long", f"/properties/{name}")


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ["properties", "traits", "context", "integrations"])
def test_a_number_that_is_none_is_told_by_its_place(constant: str, place: str) -> None:
    value = json.dumps(track("Any", **{place: {"a": ["?"]}})).replace('"?"', constant).encode()
    assert verdict(value) == ("payload", "not_a_number", f"/{place}/a/0")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("place", ["properties", "integrations", "event", "batch"])
def test_a_hundred_thousand_levels_are_refused_and_take_nothing_with_them(
    opening: bytes, closing: bytes, place: str
) -> None:
    deep = b'{"type": "track", "userId": "u", "%s": ' % place.encode() + opening * 100_000 + b"1" + closing * 100_000
    good = json.dumps(track("Any")).encode()
    started = time.process_time()
    assert verdict(deep + b"}")[0] == "limits"
    found = readings(b'{"batch": [%s,%s},%s]}' % (good, deep, good))
    assert [type(one) for one in found] == [Interaction, Refused, Interaction]
    assert time.process_time() - started < 10


def test_of_a_name_that_stands_twice_the_last_value_counts() -> None:
    value = (
        b'{"type": "track", "event": "A", "userId": "u-1", "event": "B", "userId": "u-2", "properties": {"a":1,"a":2}}'
    )
    found = accepted(value)
    assert (found.name, found.identities[0].value, payload(found)) == ("B", "u-2", {"a": 2})


def test_a_batch_of_ten_thousand_events_is_read_whole_with_the_bad_ones_beside_the_good() -> None:
    good = json.dumps(track("Any", messageId=None, properties={"a": 1})).encode()
    bad = [b'{"type": "track"}', b"NaN", b'"\xff"', b'{"type": "track", "event": "\\ud800"}']
    texts = [good if number % 10 else bad[number // 10 % 4] for number in range(10_000)]
    started = time.process_time()
    found = readings(b'{"batch": [' + b",".join(texts) + b"]}")
    assert time.process_time() - started < 20
    assert [isinstance(one, Interaction) for one in found] == [bool(number % 10) for number in range(10_000)]
    assert len({one.message_id for one in found if isinstance(one, Interaction)}) == 9_000
