"""The order of one output of one lane: what may be sent next, wherever it comes from."""

from collections.abc import Sequence

from shared.runtime.handler import Message


class Outbox:
    """Runs of messages by first sequence, taken out only without a gap.

    Transactions of one worker may overlap, so runs arrive in any order; another worker's run for this lane is not here
    at all until it is read from the table. Both show as a gap, and a gap is never skipped.
    """

    def __init__(self, next_sequence: int) -> None:
        self.next_sequence = next_sequence
        self._runs: dict[int, Sequence[Message]] = {}

    def add(self, first_sequence: int, messages: Sequence[Message]) -> None:
        """Put a run in; one that was sent already is dropped."""
        if first_sequence >= self.next_sequence:
            self._runs[first_sequence] = messages

    def holds(self, first_sequence: int) -> bool:
        """Tell whether this run needs no reading: it waits here, or went out before."""
        return first_sequence < self.next_sequence or first_sequence in self._runs

    def take(self, most: int) -> tuple[int, list[Message]]:
        """Take what may be sent now, in order, ending the stretch once it has `most` messages or more.

        Returns the first sequence and the messages. They stay unsent for us until `sent` says otherwise.
        """
        first, at, stretch = self.next_sequence, self.next_sequence, list[Message]()
        while at in self._runs and len(stretch) < most:
            run = self._runs[at]
            stretch.extend(run)
            at += len(run)
        return first, stretch

    def sent(self, upto: int) -> None:
        """Forget what is acknowledged: everything before sequence `upto`."""
        self.next_sequence = upto
        self._runs = {first: run for first, run in self._runs.items() if first >= upto}

    @property
    def waiting(self) -> int:
        """Count the messages that wait here."""
        return sum(len(run) for run in self._runs.values())

    @property
    def blocked(self) -> bool:
        """Tell whether something waits behind a gap."""
        return bool(self._runs) and self.next_sequence not in self._runs
