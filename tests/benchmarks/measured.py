"""What a run of one subject measured: events, seconds, its process's CPU and memory."""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. CPU is the worker process's own, without Kafka's and PostgreSQL's; phases are microseconds an event."""

    events: int
    seconds: float
    cpu_seconds: float
    rss_mb: float
    phases_us: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Return events a second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Return CPU microseconds an event."""
        return self.cpu_seconds / self.events * 1e6


class Stopwatch:
    """Measures this process from the first batch to the last commit and prints the result as one line of JSON."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def begin(self) -> None:
        """Start at the first call."""
        if self._began is None:
            self._began = (time.perf_counter(), _cpu())

    def end(self, events: int) -> None:
        """Stop and print."""
        if self._began is None:
            return
        seconds, cpu = time.perf_counter() - self._began[0], _cpu() - self._began[1]
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(json.dumps(asdict(Measured(events, seconds, cpu, rss))) + "\n")
        sys.stdout.flush()


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
