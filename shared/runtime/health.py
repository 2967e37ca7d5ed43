"""Health: alive means that the loop moves, ready means that work gets done; both say why not."""

import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

LIVENESS_SECONDS = 60.0
KAFKA_SECONDS = 30.0
LAG_SAMPLES = 6
LAG_FLOOR_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Passed:
    """A condition that holds; a note says what is worth knowing all the same."""

    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A condition that does not hold, and why."""

    name: str
    reason: str


Check = Passed | Failed


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked; ok when every condition holds."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Tell whether every condition holds."""
        return all(isinstance(check, Passed) for check in self.checks)

    @property
    def status_code(self) -> int:
        """Return 200 or 503."""
        return 200 if self.ok else 503

    def to_json(self) -> bytes:
        """Render `{"status": "ok"|"unavailable", "checks": [{"name", "status", "note"?, "reason"?}, …]}`."""
        checks = [_rendered(check) for check in self.checks]
        return json.dumps({"status": "ok" if self.ok else "unavailable", "checks": checks}).encode()


def _rendered(check: Check) -> dict[str, str]:
    if isinstance(check, Failed):
        return {"name": check.name, "status": "unavailable", "reason": check.reason}
    return {"name": check.name, "status": "ok"} | ({"note": check.note} if check.note else {})


def loop_moves(seconds_since: float, limit: float = LIVENESS_SECONDS) -> Check:
    """Check that the loop moved lately; nothing about dependencies: a dead broker must not restart workers."""
    if seconds_since < limit:
        return Passed("loop")
    return Failed("loop", f"the loop has not moved for {seconds_since:.0f} s")


def kafka_answers(seconds_since: float | None, limit: float = KAFKA_SECONDS) -> Check:
    """Check that Kafka answered lately; None means never yet."""
    if seconds_since is None:
        return Failed("kafka", "kafka has not answered yet")
    if seconds_since < limit:
        return Passed("kafka")
    return Failed("kafka", f"kafka has not answered for {seconds_since:.0f} s")


def lag_shrinks(samples: Sequence[float]) -> Check:
    """Check that the lag in seconds is not growing: too many rises in a row, to more than half a minute."""
    rises = len(samples) >= LAG_SAMPLES and all(later > earlier for earlier, later in itertools.pairwise(samples))
    if rises and samples[-1] > LAG_FLOOR_SECONDS:
        return Failed("lag", f"the lag grew from {samples[0]:.0f} s to {samples[-1]:.0f} s")
    return Passed("lag")


class Health:
    """What a process knows of its own health; its parts report to it, `/livez` and `/readyz` ask it.

    `conditions` are the names that must be satisfied before the process is ready, say `joined` and `claims`; each is
    unsatisfied until somebody says otherwise.
    """

    def __init__(
        self, conditions: Iterable[str] = ("joined", "claims"), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._moved_at = clock()
        self._kafka_at: float | None = None
        self._lags: deque[float] = deque(maxlen=LAG_SAMPLES)
        self._conditions: dict[str, Check] = {name: Failed(name, "not yet") for name in conditions}

    def moved(self) -> None:
        """Say that the loop moved."""
        self._moved_at = self._clock()

    def satisfied(self, condition: str, note: str = "") -> None:
        """Say that a condition holds from now on; a note is served to anybody, as a reason is."""
        self._conditions[condition] = Passed(condition, note)

    def unsatisfied(self, condition: str, reason: str) -> None:
        """Say that a condition does not hold from now on, and why; the reason is served to anybody."""
        self._conditions[condition] = Failed(condition, reason)

    def kafka_answered(self) -> None:
        """Say that Kafka answered a question within its deadline."""
        self._kafka_at = self._clock()

    def lag_seen(self, seconds: float) -> None:
        """Say how far behind the slowest partition is; once every ten seconds or so."""
        self._lags.append(seconds)

    def liveness(self) -> Report:
        """Report whether the process should go on living."""
        return Report((loop_moves(self._clock() - self._moved_at),))

    def readiness(self) -> Report:
        """Report whether the process does its work."""
        since = None if self._kafka_at is None else self._clock() - self._kafka_at
        return Report((*self._conditions.values(), kafka_answers(since), lag_shrinks(list(self._lags))))
