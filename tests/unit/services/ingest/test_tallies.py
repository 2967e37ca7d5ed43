"""Events counted by source: what is the source's doing and what is not."""

from collections.abc import Sequence
from typing import Any

from services.ingest.domain.reading import Reader, read
from services.ingest.domain.sources import Source
from services.ingest.domain.tallies import OTHER, Tally, tallied
from services.ingest.ports import Snapshot
from shared.runtime.records import Received
from tests.unit.services.ingest.records import READER, order, raw, track

KNOWN = Snapshot({"web-shop": Source("web-shop", "web"), "held": Source("held", "web", paused=True)}, {})


def counted(*sent: tuple[Any, Sequence[tuple[str, Any]]]) -> dict[str, tuple[int, int]]:
    reader = Reader(READER.identities, KNOWN.source)
    events = [
        Received(record, index, event)
        for record in (raw(value, headers) for value, headers in sent)
        for index, event in enumerate(read(record, reader))
    ]
    tallies = tallied(events, KNOWN.source)
    assert {lane for _, lane in tallies} <= {1}
    return {source: (tally.events, tally.refused) for (source, _), tally in tallies.items()}


def test_each_event_counts_for_the_source_that_its_record_names() -> None:
    sent = [("source", b"web-shop")]
    batch = {"batch": [track(), order(total="a lot"), {**track(), "event": None}]}
    assert counted((batch, sent), (track(), sent)) == {"web-shop": (4, 2)}


def test_sources_that_nobody_registered_count_as_one() -> None:
    assert counted((track(), [("source", b"a")]), (b"?", [("source", b"b")]), (track(), ())) == {OTHER: (3, 1)}


def test_an_event_counts_for_its_own_word_only_where_its_record_names_no_source() -> None:
    cloudevent = [
        *(("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"Order Completed")),
        *(("ce_source", b"web-shop"), ("ce_subject", b"u-1")),
    ]
    assert counted((b"{}", cloudevent)) == {"web-shop": (1, 0)}
    assert counted((b"{}", [*cloudevent, ("source", b"somebody")])) == {OTHER: (1, 0)}


def test_events_that_are_held_do_not_count() -> None:
    assert counted((track(), [("source", b"held")]), (b"?", [("source", b"held")])) == {}


def test_a_replay_does_not_count_whatever_becomes_of_it() -> None:
    sent = [("source", b"web-shop"), ("crm_replay", b"7")]
    assert counted((b"?", sent), (track(), sent)) == {}


def test_a_header_without_a_value_is_as_if_it_were_not_there() -> None:
    assert counted((track(), [("source", None)])) == {OTHER: (1, 0)}


def test_lanes_are_counted_apart() -> None:
    record = raw(track(), [("source", b"web-shop")])
    other = type(record)(topic=record.topic, partition=2, offset=0, value=record.value, headers=record.headers)
    events = [Received(one, 0, read(one, READER)[0]) for one in (record, other, record)]
    assert tallied(events, KNOWN.source) == {("web-shop", 1): Tally(2, 0), ("web-shop", 2): Tally(1, 0)}
