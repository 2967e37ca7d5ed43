"""An event that was mended and replayed is the event that it would have been, had it never been wrong."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from services.ingest.domain.mending import Mended, Patch, read_patch
from services.ingest.domain.problems import Reason
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.replaying import Acceptable, Empty, Kept, StillBad, judge, replayed, ticket_of
from services.ingest.domain.sources import Source
from services.ingest.messages import interaction_message
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord
from tests.unit.services.ingest.kept import all_kept
from tests.unit.services.ingest.records import APPENDED, READER, Headers, order, raw, track

STRUCTURED = [("Content-Type", b"application/cloudevents+json"), ("source", b"crm")]
BATCHED = [("content-type", b"application/cloudevents-batch+json; charset=UTF-8")]


def cloudevent(**members: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "e-1",
        "source": "/shop",
        "type": "Order Completed",
        "subject": "u-17",
        "data": {"total": 12.5},
        **members,
    }


@dataclass(frozen=True, slots=True)
class Case:
    """A record as it came, the patch that mends what is wrong in it, and the record as it should have been."""

    name: str
    broken: Any
    good: Any
    patch: Sequence[dict[str, Any]]
    headers: Headers = (("source", b"web-shop"), ("received_at", b"2026-11-22T09:30:00.123456Z"))
    good_headers: Headers | None = None


BINARY = [("ce_specversion", b"1.0"), ("ce_source", b"/shop"), ("ce_type", b"Order Completed"), ("ce_subject", b"u-1")]
CASES = [
    Case(
        "a wrong type",
        order(total="a lot", tax=1.10),
        order(total=12.5, tax=1.10),
        [{"op": "replace", "path": "/properties/total", "value": 12.5}],
    ),
    Case(
        "a missing member",
        {"event": "Order Completed", "userId": "u-17", "messageId": "m-1"},
        track(),
        [{"op": "add", "path": "/type", "value": "track"}],
    ),
    Case(
        "an item of a batch, which says something about all",
        {
            "batch": [track(messageId="m-0"), order(total="x")],
            "context": {"ip": "10.0.0.1"},
            "sentAt": "2026-11-22T09:00:00Z",
        },
        {
            "batch": [track(messageId="m-0"), order(total=1)],
            "context": {"ip": "10.0.0.1"},
            "sentAt": "2026-11-22T09:00:00Z",
        },
        [{"op": "replace", "path": "/properties/total", "value": 1}],
    ),
    Case(
        "an item without an id of its own",
        {"batch": [track(messageId="m-0"), {"type": "track", "event": "X", "userId": [1]}]},
        {"batch": [track(messageId="m-0"), {"type": "track", "event": "X", "userId": "u-1"}]},
        [{"op": "replace", "path": "/userId", "value": "u-1"}],
    ),
    Case(
        "a call without an id of its own",
        {"type": "track", "event": "X"},
        {"type": "track", "event": "X", "userId": "u-1"},
        [{"op": "add", "path": "/userId", "value": "u-1"}],
    ),
    Case(
        "a structured CloudEvent",
        cloudevent(time="yesterday"),
        cloudevent(time="2026-11-21T09:00:00Z"),
        [{"op": "replace", "path": "/time", "value": "2026-11-21T09:00:00Z"}],
        STRUCTURED,
    ),
    Case(
        "a CloudEvent of a batch",
        [cloudevent(), cloudevent(id="e-2", time="yesterday")],
        [cloudevent(), cloudevent(id="e-2", time="2026-11-21T09:00:00Z")],
        [{"op": "replace", "path": "/time", "value": "2026-11-21T09:00:00Z"}],
        BATCHED,
    ),
    Case(
        "a binary CloudEvent whose header is missing",
        {"total": 12.5},
        {"total": 12.5},
        [{"op": "add", "path": "/headers/ce_id", "value": "e-1"}],
        BINARY,
        [*BINARY, ("ce_id", b"e-1")],
    ),
    Case(
        "a binary CloudEvent whose data are wrong",
        {"total": "x"},
        {"total": 1},
        [{"op": "replace", "path": "/total", "value": 1}],
        [*BINARY, ("ce_id", b"e-1")],
    ),
    Case(
        "a source that is no text",
        track(),
        track(),
        [{"op": "replace", "path": "/headers/source", "value": "web-shop"}],
        [("source", b"\xff")],
        [("source", b"web-shop")],
    ),
    Case(
        "a batch that could not be read at all, of events without ids",
        {"batch": [{"type": "page", "userId": "u-1"}, {"type": "page", "userId": "u-2"}], "sentAt": "noon"},
        {"batch": [{"type": "page", "userId": "u-1"}, {"type": "page", "userId": "u-2"}]},
        [{"op": "remove", "path": "/sentAt"}],
    ),
    Case(
        "no JSON at all",
        b"{",
        track(),
        [{"op": "replace", "path": "", "value": track()}],
    ),
    Case(
        "a NaN",
        b'{"type":"track","event":"Order Completed","userId":"u-17","messageId":"m-1","properties":{"total":NaN}}',
        order(total=3),
        [{"op": "replace", "path": "/properties/total", "value": 3}],
    ),
]


def mended(kept: Kept, patch: Sequence[dict[str, Any]]) -> Kept:
    read_one = read_patch(json.dumps(patch).encode())
    assert isinstance(read_one, Patch)
    found = read_one.apply(kept.value, kept.current_headers)
    assert isinstance(found, Mended), found
    return msgspec.structs.replace(kept, mended=found.value, mended_headers=found.headers, state="fixed")


def elsewhere(record: Any) -> PlainRecord:
    """Return a replay as ingest reads it: at the end of the log, an hour later."""
    return PlainRecord(
        topic=record.topic,
        partition=record.partition,
        offset=9_999,
        timestamp=record.timestamp + 3_600_000,
        key=record.key,
        value=record.value,
        headers=record.headers,
    )


def messages(readings: Sequence[Any]) -> list[tuple[bytes | None, Any]]:
    assert all(isinstance(reading, Interaction) for reading in readings), readings
    return [(message.value, message.headers) for message in map(interaction_message, readings)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_mended_and_replayed_is_what_it_would_have_been(case: Case) -> None:
    ((kept, refused),) = all_kept(raw(case.broken, case.headers, offset=41))
    good = read(raw(case.good, case.headers if case.good_headers is None else case.good_headers, offset=41), READER)
    before = [one for one in read(raw(case.broken, case.headers, offset=41), READER) if isinstance(one, Interaction)]
    fixed = mended(kept, case.patch)
    assert judge(kept, READER) == StillBad(refused.problem, refused.source, refused.event)
    assert judge(fixed, READER) == Acceptable()
    again = read(elsewhere(replayed(fixed)), READER)
    assert messages([*before, *again]) == messages(good)


def test_the_original_is_never_changed_by_mending() -> None:
    ((kept, _),) = all_kept(raw(order(total="x")))
    fixed = mended(kept, [{"op": "remove", "path": "/properties/total"}])
    assert (fixed.original, fixed.headers) == (kept.original, kept.headers)
    assert fixed.value != kept.value


def test_an_event_is_received_when_it_came_first_also_if_the_gateway_s_note_was_not_believed() -> None:
    sent = [("source", b"s"), ("received_at", b"2031-01-01T00:00:00Z")]
    ((kept, _),) = all_kept(raw(order(total="x"), sent))
    (again,) = read(elsewhere(replayed(mended(kept, [{"op": "remove", "path": "/properties/total"}]))), READER)
    assert isinstance(again, Interaction)
    assert again.received_at == APPENDED


def test_a_batch_that_is_mended_whole_has_events_that_stand_or_fall_alone() -> None:
    broken = {"batch": [track(), {"type": "burn"}], "sentAt": "noon"}
    ((kept, _),) = all_kept(raw(broken))
    fixed = mended(kept, [{"op": "remove", "path": "/sentAt"}])
    assert judge(fixed, READER) == Acceptable()
    assert [type(one) for one in read(replayed(fixed), READER)] == [Interaction, Refused]


def test_a_batch_that_is_mended_to_none_would_never_be_settled() -> None:
    ((kept, _),) = all_kept(raw({"batch": [track()], "sentAt": "noon"}))
    fixed = mended(kept, [{"op": "replace", "path": "", "value": {"batch": []}}])
    assert judge(fixed, READER) == Empty()


def test_judging_knows_the_sources_as_they_are_now() -> None:
    ((kept, _),) = all_kept(raw(track("Mug Broken"), [("source", b"web-shop")]), Reader(READER.identities, _paused))
    assert judge(kept, READER) == Acceptable()
    verdict = judge(kept, Reader(READER.identities, _paused))
    assert isinstance(verdict, StillBad)
    assert (verdict.problem.reason, verdict.source, verdict.event) == (Reason.SOURCE_PAUSED, "web-shop", "Mug Broken")


def _paused(name: str) -> Source:
    return Source(name, "web", paused=True)


def test_a_second_replay_carries_the_marks_of_the_second_alone() -> None:
    ((kept, _),) = all_kept(raw(order(total="x"), [("source", b"s")]))
    once = elsewhere(replayed(kept))
    ((again, _),) = all_kept(once)
    names = [name for name, _ in replayed(again).headers]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"12",
        b":",
        b"12:",
        b"12:0b7f4a5e8d6c4f0a9b1e2c3d4e5f6a7",
        b"12:0B7F4A5E8D6C4F0A9B1E2C3D4E5F6A7B",
        b"-1:0b7f4a5e8d6c4f0a9b1e2c3d4e5f6a7b",
        b"9999999999999999999:0b7f4a5e8d6c4f0a9b1e2c3d4e5f6a7b",
        "\u0661:0b7f4a5e8d6c4f0a9b1e2c3d4e5f6a7b".encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_ticket_of_ours_is_none(text: bytes) -> None:
    assert ticket_of([("crm_replay", text)]) is None


def test_a_ticket_is_found_among_the_headers() -> None:
    ((kept, _),) = all_kept(raw(order(total="x"), [("source", b"s")]))
    ticket = ticket_of(replayed(kept).headers)
    assert ticket is not None
    assert (ticket.entry, ticket.secret) == (12, kept.ticket.hex)
