import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.topics import Kind
from shared.runtime.errors import OffsetGapError, SequenceGapError
from shared.runtime.intake import Position, take_in
from shared.runtime.records import PlainRecord

LOG = ("log", 0)
KINDS = {"log": Kind.SEQUENCED_LOG, "raw": Kind.RAW}


def record(offset: int, sequence: int | None = None, incarnation: int = 1) -> PlainRecord:
    headers = []
    if sequence is not None:
        headers = [("ce_incarnation", str(incarnation).encode()), ("ce_sequence", str(sequence).encode())]
    return PlainRecord(topic="log", partition=0, offset=offset, headers=headers)


def test_a_repeated_stretch_of_a_sequenced_log_is_read_once() -> None:
    polled = {LOG: [record(0, 0), record(1, 1), record(2, 0), record(3, 1), record(4, 2)]}
    intake = take_in(polled, {LOG: Position(0)}, KINDS)
    assert [one.offset for one in intake.records] == [0, 1, 4]
    assert intake.repeats == {LOG: 2}
    assert intake.after == {LOG: Position(5, 1, 2)}


def test_a_missing_sequence_stops_the_service() -> None:
    with pytest.raises(SequenceGapError, match="expected sequence 1, found 2"):
        take_in({LOG: [record(0, 0), record(1, 2)]}, {LOG: Position(0)}, KINDS)


def test_a_consumer_may_begin_where_retention_left_off() -> None:
    intake = take_in({LOG: [record(70, 55)]}, {LOG: Position(70)}, KINDS)
    assert intake.after == {LOG: Position(71, 1, 55)}


def test_a_restored_database_counts_its_sequences_anew() -> None:
    intake = take_in(
        {LOG: [record(0, 9), record(1, 0, 2), record(2, 8, 1), record(3, 1, 2)]}, {LOG: Position(0)}, KINDS
    )
    assert [one.offset for one in intake.records] == [0, 1, 3]
    assert intake.after == {LOG: Position(4, 2, 1)}


def test_a_record_without_a_sequence_is_left_to_the_decoder() -> None:
    intake = take_in({LOG: [record(0, 0), record(1), record(2, 1)]}, {LOG: Position(0)}, KINDS)
    assert [one.offset for one in intake.records] == [0, 1, 2]


def test_a_missing_offset_stops_a_log_that_can_have_no_gaps() -> None:
    with pytest.raises(OffsetGapError):
        take_in({LOG: [record(1, 0)]}, {LOG: Position(0)}, KINDS)


def test_a_raw_topic_may_have_gaps() -> None:
    intake = take_in({("raw", 0): [record(3), record(9)]}, {("raw", 0): Position(1)}, KINDS)
    assert intake.after == {("raw", 0): Position(10)}


def test_a_record_that_two_polls_hold_is_read_once() -> None:
    polled = {("raw", 0): [record(4), record(5), record(6), record(4), record(5)]}
    intake = take_in(polled, {("raw", 0): Position(4)}, KINDS)
    assert [one.offset for one in intake.records] == [4, 5, 6]
    assert intake.after == {("raw", 0): Position(7)}


def test_nothing_new_moves_nothing() -> None:
    intake = take_in({LOG: [record(0, 0)]}, {LOG: Position(1, 1, 0)}, KINDS)
    assert not intake.records
    assert not intake.after


def test_a_place_without_a_position_is_left_alone() -> None:
    assert not take_in({LOG: [record(0, 0)]}, {}, KINDS).after


@given(st.lists(st.integers(1, 5), max_size=8), st.integers(0, 6))
def test_any_repeated_suffixes_give_each_sequence_once(lengths: list[int], cut: int) -> None:
    sequences: list[int] = []
    upto = 0
    for length in lengths:
        upto += length
        begin = max(0, len(set(sequences)) - cut)
        sequences += range(begin, upto)
    polled = [record(offset, sequence) for offset, sequence in enumerate(sequences)]
    position, seen = Position(0), []
    for size in (3, 1, len(polled)):
        start = position.next_offset
        intake = take_in({LOG: polled[start : start + size]}, {LOG: position}, KINDS)
        seen += [int(dict(one.headers)["ce_sequence"]) for one in intake.records]
        position = intake.after.get(LOG, position)
    assert seen == list(range(upto))
