"""What is known about a source decides over its events; what our own headers say counts before the body."""

from dataclasses import replace
from typing import Any

import pytest

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Reading, Refused, read
from services.ingest.domain.sources import Source, Strictness
from services.ingest.ports import Snapshot
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import Headers, accepted, raw, track, verdict

SHOP = Source("web-shop", "server")
FROM_SHOP: Headers = [("source", b"web-shop")]
STRUCTURED = ("content-type", b"application/cloudevents+json")
EVENT = {"specversion": "1.0", "id": "e-1", "source": "web-shop", "type": "Mug Broken", "subject": "u-17"}


def judged(source: Source, value: Any, headers: Headers = FROM_SHOP) -> list[Reading]:
    known = Snapshot({source.name: source}, {})
    return list(read(raw(value, headers), Reader(Identities(b"a secret of the tests"), known.source)))


def told(source: Source, value: Any, headers: Headers = FROM_SHOP) -> list[tuple[str, str, str] | None]:
    """Return stage, reason and path of each refusal, nothing for what was accepted."""
    return [
        (one.problem.stage.value, one.problem.reason.value, one.problem.path) if isinstance(one, Refused) else None
        for one in judged(source, value, headers)
    ]


STRICT = replace(SHOP, strictness=Strictness.STRICT)
PAUSED = replace(SHOP, paused=True)
UNKNOWN = ("envelope", "unknown_event", "/event")
HELD = ("policy", "source_paused", "")


def test_a_strict_source_may_send_what_the_catalogue_has_and_nothing_else() -> None:
    calls = [
        track("Mug Broken"),
        track("Product Viewed"),
        {"type": "identify", "userId": "u-17"},
        {"type": "page", "userId": "u-17"},
    ]
    assert told(STRICT, {"batch": calls}) == [UNKNOWN, None, None, None]
    assert told(SHOP, {"batch": calls}) == [None] * 4


def test_the_name_that_a_strict_source_may_not_use_is_never_told() -> None:
    (found,) = judged(STRICT, track("eva@example.org bought"))
    assert isinstance(found, Refused)
    assert "eva" not in repr(found.problem)


def test_a_paused_source_loses_nothing_all_its_events_wait() -> None:
    batch = {"batch": [track(), track("Any", properties={}), {"type": 5}]}
    assert told(PAUSED, batch) == [HELD] * 3
    held = judged(PAUSED, track(messageId="m-9"))[0]
    assert isinstance(held, Refused)
    assert (held.message_id, held.original) == ("m-9", raw(track(messageId="m-9")).value)
    assert isinstance(judged(SHOP, held.original)[0], Interaction)


def test_the_source_of_the_header_judges_a_cloudevent_of_any_other() -> None:
    elsewhere = {**EVENT, "source": "/elsewhere"}
    assert told(PAUSED, elsewhere, [*FROM_SHOP, STRUCTURED]) == [HELD]
    assert told(PAUSED, EVENT, [("source", b"erp"), STRUCTURED]) == [None]


def test_without_a_header_a_cloudevent_is_judged_by_its_own_source() -> None:
    assert told(PAUSED, EVENT, [STRUCTURED]) == [HELD]
    assert told(STRICT, EVENT, [STRUCTURED]) == [("envelope", "unknown_event", "/type")]
    assert told(STRICT, {**EVENT, "source": "/elsewhere"}, [STRUCTURED]) == [None]


def test_a_source_that_nobody_registered_is_open() -> None:
    found = Source.unregistered("somebody")
    assert (found.name, found.strictness, found.paused) == ("somebody", Strictness.OPEN, False)
    assert (found.region, found.zone, found.rate, found.burst) == (None, None, None, None)


@pytest.mark.parametrize(
    "own", [{}, {"type": None}, {"type": ""}, {"type": "page"}, {"type": "x"}], ids=lambda own: str(own.get("type"))
)
def test_the_route_of_a_call_tells_its_type(own: dict[str, Any]) -> None:
    call = {"userId": "u-17", "event": "Mug Broken", **own}
    assert accepted(call, [("crm_type", b"track")]).name == "Mug Broken"
    assert accepted(call, [("crm_type", b"identify")]).name == "Identify"


def test_the_calls_of_a_batch_have_types_of_their_own() -> None:
    value = {"batch": [track(), {"type": "page", "userId": "u"}]}
    names = [one.name for one in judged(SHOP, value, [("crm_type", b"identify")]) if isinstance(one, Interaction)]
    assert names == ["Order Completed", "Page Viewed"]


@pytest.mark.parametrize("route", [b"x", b"\xff"])
def test_a_route_that_is_no_type_is_refused(route: bytes) -> None:
    assert verdict(track(), [("crm_type", route)]) == ("envelope", "unknown_type", "/type")


def test_an_event_without_an_id_keeps_the_one_it_was_given_first() -> None:
    remembered = [("crm_message_id", b"9b1f3c62-first")]
    assert accepted(track(messageId=None), remembered).message_id == "9b1f3c62-first"
    assert accepted(track(messageId="m-1"), remembered).message_id == "m-1"
    (refused,) = judged(SHOP, {**track(messageId=None), "event": 5}, remembered)
    assert isinstance(refused, Refused)
    assert refused.message_id == "9b1f3c62-first"


def test_one_remembered_id_is_not_given_to_many_events() -> None:
    batch = {"batch": [track(messageId=None), track(messageId=None)]}
    found = judged(SHOP, batch, [("crm_message_id", b"9b1f3c62-first")])
    ids = {one.message_id for one in found if isinstance(one, Interaction)}
    assert len(ids) == 2
    assert "9b1f3c62-first" not in ids
