"""The fuse: too many dead events in a stretch, and the service stops instead of emptying its topic."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.runtime.errors import FuseBlownError
from shared.runtime.handler import Dead, Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """`ratio` of dead events among at least `min_events`, or `run` dead ones in a row, blows the fuse."""

    ratio: float = 0.5
    min_events: int = 200
    run: int = 1000


@dataclass(frozen=True, slots=True)
class Fuse:
    """What the last stretch looked like; a batch makes a new one, which counts only if the batch commits."""

    limits: Limits = field(default=Limits())
    events: int = 0
    dead: int = 0
    run: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def after(self, outcomes: Sequence[Outcome]) -> "Fuse":
        """Return the fuse after these outcomes.

        The stretch is a decaying window: once it holds ten times `min_events`, both counts are halved.

        Raises:
            FuseBlownError: the ratio or the run is reached.
        """
        events, dead, run, reasons = self.events, self.dead, self.run, self.reasons.copy()
        events += len(outcomes)
        # Most batches have none, and asking each outcome is a twentieth of the hop.
        if outcomes and Dead not in set(map(type, outcomes)):
            run = 0
        else:
            for outcome in outcomes:
                if isinstance(outcome, Dead):
                    dead += 1
                    run += 1
                    reasons[outcome.poison.reason] += 1
                else:
                    run = 0
        if run >= self.limits.run or (events >= self.limits.min_events and dead >= self.limits.ratio * events):
            raise FuseBlownError(dead, events, dict(reasons))
        if events >= 10 * self.limits.min_events:
            events, dead, reasons = events // 2, dead // 2, Counter()
        return Fuse(self.limits, events, dead, run, reasons)
