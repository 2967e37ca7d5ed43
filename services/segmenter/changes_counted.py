"""Counts entries and exits once they are certain: what does not commit must not show in a counter."""

from collections import Counter
from collections.abc import Sequence

from services.segmenter.ports import Entry
from shared.contracts.segments import Cause, ClockCause, DefinitionCause, EventCause, MergeCause
from shared.runtime.metrics import Metrics

METRIC = "crm_segment_changes_total"


class ChangesCounted:
    """Holds a batch's changes back until the next one begins, or until two looks found them standing."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._noted: Counter[tuple[str, str, str]] = Counter()
        self._looked_at: Counter[tuple[str, str, str]] = Counter()

    def note(self, entries: Sequence[Entry]) -> None:
        """Take note of changes written in a transaction that is not committed yet."""
        for entry in entries:
            transition = entry.transition
            self._noted[transition.segment, transition.change.value, _kind(transition.cause)] += 1
        self._looked_at = Counter()

    def settled(self) -> None:
        """Count what was noted: the transaction committed."""
        for (segment, change, cause), count in self._noted.items():
            self._metrics.counter(METRIC, segment=segment, change=change, cause=cause).inc(count)
        self.forget()

    def forget(self) -> None:
        """Drop what was noted: the transaction did not commit."""
        self._noted = Counter()
        self._looked_at = Counter()

    def look(self) -> None:
        """Count what already stood here at the last look: seconds ago, and nobody said that it failed."""
        if self._noted and self._looked_at == self._noted:
            self.settled()
        else:
            self._looked_at = self._noted.copy()


def _kind(cause: Cause) -> str:
    match cause:
        case EventCause():
            return "event"
        case ClockCause():
            return "clock"
        case DefinitionCause():
            return "definition"
        case MergeCause():
            return "merge"
        case _:
            return "record"
