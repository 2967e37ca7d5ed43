"""What anybody can write to the raw topic costs little time and memory, and always fits into what we write of it."""

import time
import tracemalloc
from datetime import UTC, datetime

import pytest

from services.ingest.domain import times
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.shapes.items import LARGEST_BATCH, LARGEST_EVENT, MOST_EVENTS
from services.ingest.messages import dead_letter
from shared.runtime.records import PlainRecord
from tests.unit.services.ingest.records import READER, Headers, raw, readings, verdict

LARGEST_MESSAGE = 1_048_588  # Kafka's message.max.bytes unless it is told otherwise
EVENT = (("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/shop"), ("ce_type", b"x"), ("ce_subject", b"u"))


def test_a_text_that_never_ends_costs_no_more_than_its_length() -> None:
    started = time.process_time()
    readings(b'{"batch": [' + b'"\\' * 60_000)
    assert time.process_time() - started < 2


def test_a_nan_deep_below_long_names_costs_no_path_for_each_of_its_neighbours() -> None:
    deep = b'{"%s":' % (b"~" * 100) * 200 + b"[" + b"1," * 3_000 + b"NaN]" + b"}" * 200
    tracemalloc.start()
    try:
        found = readings(deep)[0]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(found, Refused)
    assert (found.problem.reason, len(found.problem.path) <= 1_000) == ("not_a_number", True)
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "headers",
    [
        (("ce_ext", b"x" * LARGEST_EVENT),),
        (("ce_" + "e" * LARGEST_EVENT, b"x"),),
        tuple((f"ce_ext{n}", b"\x01" * 1_000) for n in range(40)),
    ],
)
def test_the_attributes_of_a_binary_event_are_bounded_as_its_value_is(headers: Headers) -> None:
    assert verdict(b"{}", (*EVENT, *headers)) == ("limits", "too_large", "/headers")


@pytest.mark.parametrize("name", ["ce_\0bad", "ce_" + "~" * 20_000])
def test_the_name_of_a_header_is_told_as_far_as_it_can_be_kept(name: str) -> None:
    found = readings(b"{}", ((name, b"\xff"),))[0]
    assert isinstance(found, Refused)
    assert "\0" not in found.problem.path
    assert len(found.problem.path) < 300


def test_a_batch_of_more_events_than_we_take_is_refused_whole() -> None:
    expected = ("limits", "too_large", "/batch")
    assert verdict(b'{"batch":[' + b",".join([b"0"] * (MOST_EVENTS + 1)) + b"]}") == expected
    assert len(readings(b'{"batch":[' + b",".join([b"0"] * MOST_EVENTS) + b"]}")) == MOST_EVENTS
    batch = [("content-type", b"application/cloudevents-batch+json")]
    assert verdict(b"[" + b",".join([b"{}"] * (MOST_EVENTS + 1)) + b"]", batch) == ("limits", "too_large", "")


@pytest.mark.parametrize("key", [None, b"k" * 100_000])
def test_a_batch_is_refused_whole_if_each_event_would_be_kept_with_a_copy_of_too_much(key: bytes | None) -> None:
    headers = () if key else [("trace", b"t" * 100_000)]
    events = LARGEST_BATCH // 100_000 + 1
    value = b'{"batch":[' + b",".join([b"0"] * events) + b"]}"
    record = PlainRecord(topic="t", partition=0, offset=0, key=key, value=value, headers=headers)
    (found,) = read(record, READER)
    assert isinstance(found, Refused)
    assert (found.problem.reason, found.original) == ("too_large", value)


def test_what_is_too_long_to_be_anybodys_name_is_not_remembered() -> None:
    reader = Reader(Identities(b"a secret of the tests"))
    tracemalloc.start()
    try:
        for number in range(500):
            read(raw({"type": "track", "event": "x", "userId": f"{number}" + "u" * 20_000}), reader)
            times.arrival(b"%d" % number + b"9" * 20_000, 1_800_000_000_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000_000


def test_a_dead_letter_fits_into_a_message_whatever_the_event_was() -> None:
    for value, headers in (
        (b"x" * 440_000, (("ce_" + "~" * 440_000, b"\xff"),)),
        (b'{"%s":' % (b"~" * 100) * 900 + b'"' + b"x" * 790_000 + b'"' + b"}" * 900, ()),
    ):
        record = raw(value, headers, at=datetime(2026, 11, 22, tzinfo=UTC))
        (found,) = read(record, READER)
        assert isinstance(found, Refused)
        letter = dead_letter(record, 0, found)
        size = len(letter.value or b"") + len(letter.key or b"")
        assert size + sum(len(name.encode()) + len(text) for name, text in letter.headers) < LARGEST_MESSAGE
