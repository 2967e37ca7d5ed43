"""How many events of each source a batch had, and how many of them were refused for what is wrong with them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from services.ingest.domain.problems import Stage
from services.ingest.domain.reading import Reading, Refused
from services.ingest.domain.sources import Source
from shared.contracts.records import Record

OTHER = "other"
"""All sources that nobody registered, under one name: there may be any number of them."""


class Tally(msgspec.Struct):
    """Events of one source on one lane, and those of them that were refused."""

    events: int = 0
    refused: int = 0


Tallies = Mapping[tuple[str, int], Tally]
"""Tallies by source and lane."""


class Arrived(Protocol):
    """An event with the record that it stood in."""

    @property
    def record(self) -> Record:
        """The record."""
        ...

    @property
    def event(self) -> Reading:
        """What was read."""
        ...


def tallied(events: Iterable[Arrived], sources: Callable[[str], Source]) -> Tallies:
    """Count the events of a batch by the source that they were judged as: the record's, else the event's own.

    Left out is what says nothing about a source: events that are held because it is paused, and those that somebody
    replays from the quarantine.
    """
    counted: dict[tuple[bytes | str, int], Tally] = {}
    record: Record | None = None
    sender, is_replay = b"", False
    for arrived in events:
        if arrived.record is not record:
            record = arrived.record
            sender, is_replay = b"", False
            for name, value in record.headers:
                if name == "source":
                    sender = value or b""
                elif name == "crm_replay":
                    is_replay = True
        event = arrived.event
        if is_replay or (isinstance(event, Refused) and event.problem.stage is Stage.POLICY):
            continue
        place = (sender or event.source, record.partition)
        tally = counted.get(place)
        if tally is None:
            tally = counted[place] = Tally()
        tally.events += 1
        tally.refused += isinstance(event, Refused)
    return _named(counted, sources)


def _named(counted: Mapping[tuple[bytes | str, int], Tally], sources: Callable[[str], Source]) -> Tallies:
    """Name what was counted, once for each sender of a batch and not for each of its events."""
    tallies: dict[tuple[str, int], Tally] = {}
    for (sender, lane), tally in counted.items():
        said = sender.decode("utf-8", "replace") if isinstance(sender, bytes) else sender
        whole = tallies.setdefault((said if sources(said).is_registered else OTHER, lane), Tally())
        whole.events += tally.events
        whole.refused += tally.refused
    return tallies
