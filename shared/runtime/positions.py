"""Positions in PostgreSQL: how far each input was read and what became of every event, moved by compare-and-set."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection

from shared.runtime.arrays import int4s, int8s, texts, uuids
from shared.runtime.errors import PositionMovedError
from shared.runtime.handler import Applied, Conflict, Dead, Duplicate, Erased, Outcome
from shared.runtime.intake import Intake, Place, Position

OUTCOMES: tuple[LiteralString, ...] = ("applied", "duplicate", "conflict", "dead", "erased")

_NAME: Mapping[type[Outcome], str] = {
    Applied: "applied",
    Duplicate: "duplicate",
    Conflict: "conflict",
    Dead: "dead",
    Erased: "erased",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """A position with the id of the topic that its offsets mean something in."""

    position: Position
    topic_id: UUID


@dataclass(slots=True)
class Tally:
    """What became of the events of a batch, by place."""

    counts: dict[Place, Counter[str]] = field(default_factory=dict)

    def add_all(self, events: Iterable[tuple[Place, type[Outcome]]]) -> None:
        """Count events by where they came from and what became of them."""
        for (place, outcome), count in Counter(events).items():
            self.add_many(place, _NAME[outcome], count)

    def add_many(self, place: Place, name: str, count: int) -> None:
        """Count events of one outcome."""
        counter = self.counts.get(place)
        if counter is None:
            counter = self.counts[place] = Counter()
        counter[name] += count


_LOAD = """
    SELECT lane, topic, topic_id, next_offset, incarnation, last_sequence FROM positions
    WHERE input_group = %s AND lane = ANY(%s) AND topic = ANY(%s)
"""
_START = """
    INSERT INTO positions (input_group, lane, topic, topic_id, next_offset)
    SELECT %s, * FROM unnest(%s, %s, %s, %s) ON CONFLICT (input_group, lane, topic) DO NOTHING
"""
_MOVE = """
    UPDATE positions p SET next_offset = n.next_offset, incarnation = n.incarnation, last_sequence = n.last_sequence,
        records_read = p.records_read + n.records, events_read = p.events_read + n.events,
        applied = p.applied + n.applied, duplicate = p.duplicate + n.duplicate, conflict = p.conflict + n.conflict,
        dead = p.dead + n.dead, erased = p.erased + n.erased
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS n (lane, topic, from_offset, next_offset,
        incarnation, last_sequence, records, events, applied, duplicate, conflict, dead, erased)
    WHERE p.input_group = %s AND p.lane = n.lane AND p.topic = n.topic AND p.next_offset = n.from_offset
"""


async def load(
    connection: AsyncConnection, group: str, lanes: Iterable[int], topics: Iterable[str]
) -> dict[Place, Stored]:
    """Read the positions of these lanes in these topics; what was an input once is left alone."""
    cursor = await connection.execute(_LOAD, (group, int4s(sorted(lanes)), texts(sorted(topics))))
    return {
        (name, lane): Stored(Position(next_offset, incarnation, last_sequence), topic_id)
        for lane, name, topic_id, next_offset, incarnation, last_sequence in await cursor.fetchall()
    }


async def start(connection: AsyncConnection, group: str, stored: Mapping[Place, Stored]) -> None:
    """Write first positions; one that is there already stays."""
    places = sorted(stored)
    await connection.execute(
        _START,
        (
            group,
            int4s([lane for _, lane in places]),
            texts([name for name, _ in places]),
            uuids([stored[place].topic_id.bytes for place in places]),
            int8s([stored[place].position.next_offset for place in places]),
        ),
    )


async def move(connection: AsyncConnection, group: str, intake: Intake, tally: Tally) -> None:
    """Move the positions of a batch and account for its events.

    Raises:
        PositionMovedError: a position is not where the batch was read from, so its events were applied by somebody.
    """
    places = sorted(intake.after)
    counters = [tally.counts.get(place, Counter()) for place in places]
    columns: Sequence[Sequence[int]] = [[counter[name] for counter in counters] for name in OUTCOMES]
    cursor = await connection.execute(
        _MOVE,
        (
            int4s([lane for _, lane in places]),
            texts([name for name, _ in places]),
            int8s([intake.before[place].next_offset for place in places]),
            int8s([intake.after[place].next_offset for place in places]),
            int4s([intake.after[place].incarnation for place in places]),
            int8s([intake.after[place].last_sequence for place in places]),
            int8s([intake.read.get(place, 0) for place in places]),
            int8s([sum(counter.values()) for counter in counters]),
            *(int8s(column) for column in columns),
            group,
        ),
    )
    if cursor.rowcount != len(places):
        raise PositionMovedError(f"{len(places) - cursor.rowcount} of {len(places)} positions of {group} have moved")
