"""From what was polled to what is new: trimmed to the position record by record, checked for gaps and repeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.envelope import sequence_of
from shared.contracts.topics import Kind
from shared.runtime.errors import OffsetGapError, SequenceGapError
from shared.runtime.records import Record

Place = tuple[str, int]
"""A topic and a lane."""

NO_SEQUENCE = -1


@dataclass(frozen=True, slots=True)
class Position:
    """How far one input of one lane was read; on a sequenced log also the last (incarnation, sequence)."""

    next_offset: int
    incarnation: int = 0
    last_sequence: int = NO_SEQUENCE


@dataclass(frozen=True, slots=True)
class Intake:
    """The new part of a poll: records to decode in order, and where each position moves from and to.

    `repeats` counts, by place, records of a sequenced log that were read before under another offset.
    """

    records: Sequence[Record]
    before: Mapping[Place, Position]
    after: Mapping[Place, Position]
    read: Mapping[Place, int] = field(default_factory=dict)
    repeats: Mapping[Place, int] = field(default_factory=dict)


def take_in(
    polled: Mapping[Place, Sequence[Record]], positions: Mapping[Place, Position], kinds: Mapping[str, Kind]
) -> Intake:
    """Keep what is at or after the position and not a repeat; `kinds` tells what each topic promises.

    Places without a position are left out: they were assigned a moment ago and are read again from their position.

    Raises:
        OffsetGapError: an offset is missing on a topic that can have no gaps.
        SequenceGapError: a sequence is missing on a sequenced log.
    """
    fresh: list[Record] = []
    before: dict[Place, Position] = {}
    after: dict[Place, Position] = {}
    read: dict[Place, int] = {}
    repeats: dict[Place, int] = {}
    for place, records in polled.items():
        position = positions.get(place)
        if position is None:
            continue
        match kinds[place[0]]:
            case Kind.SEQUENCED_LOG:
                kept, moved, repeated = _sequenced(place, records, position)
            case Kind.LOG:
                kept, moved, repeated = _contiguous(place, records, position)
            case Kind.RAW | Kind.STATE:
                kept, moved, repeated = _gapped(records, position)
        if moved is not position:
            fresh += kept
            before[place], after[place] = position, moved
            read[place], repeats[place] = len(kept) + repeated, repeated
    return Intake(fresh, before, after, read, repeats)


def _gapped(records: Sequence[Record], position: Position) -> tuple[list[Record], Position, int]:
    kept, following = [], position.next_offset
    for record in records:
        # Two polls put together may both hold a record, when the consumer went back to its position between them.
        if record.offset >= following:
            kept.append(record)
            following = record.offset + 1
    if not kept:
        return kept, position, 0
    return kept, Position(following, position.incarnation, position.last_sequence), 0


def _contiguous(place: Place, records: Sequence[Record], position: Position) -> tuple[list[Record], Position, int]:
    kept, moved, _ = _gapped(records, position)
    expected = position.next_offset
    for record in kept:
        if record.offset != expected:
            raise OffsetGapError(*place, expected, record.offset)
        expected += 1
    return kept, moved, 0


def _sequenced(place: Place, records: Sequence[Record], position: Position) -> tuple[list[Record], Position, int]:
    present, moved, _ = _contiguous(place, records, position)
    if not present:
        return present, position, 0
    incarnation, last = position.incarnation, position.last_sequence
    kept = []
    for record in present:
        order = sequence_of(record.headers)
        if order is None:
            # Not from our publisher: the decoder says what is wrong with it, and it takes no place in the order.
            kept.append(record)
            continue
        if order.incarnation > incarnation:
            incarnation, last = order.incarnation, NO_SEQUENCE
        if order.incarnation < incarnation or (last != NO_SEQUENCE and order.number <= last):
            continue
        if last != NO_SEQUENCE and order.number != last + 1:
            raise SequenceGapError(*place, last + 1, order.number)
        last = order.number
        kept.append(record)
    return kept, Position(moved.next_offset, incarnation, last), len(present) - len(kept)
