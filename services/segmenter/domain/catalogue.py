"""The segments that are judged now, each at its version, found by what wakes them."""

from collections.abc import Iterable, Mapping

import msgspec

from services.segmenter.domain.definitions import Definition
from services.segmenter.domain.horizon import Horizon, horizon
from services.segmenter.domain.predicate import Predicate, compiled
from services.segmenter.domain.reads import Reads, reads
from services.segmenter.domain.rules import Rule


class Registered(msgspec.Struct, frozen=True):
    """A definition as registered: `revision` counts changes to the whole set and says when this one came in."""

    definition: Definition
    version: int
    revision: int


class Segment(msgspec.Struct, frozen=True):
    """One segment, ready to be judged."""

    name: str
    version: int
    revision: int
    rule: Rule
    holds: Predicate
    look: Horizon
    reads: Reads


class Catalogue:
    """All segments at one `revision`; `retired` gives the version under which a removed segment's members leave."""

    def __init__(self, revision: int, registered: Iterable[Registered], retired: Mapping[str, int]) -> None:
        self.revision = revision
        self.retired = dict(retired)
        self.segments = tuple(_segment(one) for one in sorted(registered, key=lambda one: one.definition.segment))
        self.names = frozenset(segment.name for segment in self.segments)
        self.of_record = tuple(segment for segment in self.segments if segment.reads.fields)
        self.timed = tuple(segment for segment in self.segments if segment.reads.events)
        self._of_event = {
            name: tuple(segment for segment in self.segments if name in segment.reads.events)
            for name in {name for segment in self.segments for name in segment.reads.events}
        }

    def of_event(self, name: str) -> tuple[Segment, ...]:
        """Return the segments whose rule counts this event."""
        return self._of_event.get(name, ())


def _segment(registered: Registered) -> Segment:
    rule = registered.definition.rule
    return Segment(
        registered.definition.segment,
        registered.version,
        registered.revision,
        rule,
        compiled(rule),
        horizon(rule),
        reads(rule),
    )
