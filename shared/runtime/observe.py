"""What a batch looks like from outside: phases timed, events counted, freshness sampled."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from shared.contracts.envelope import header
from shared.runtime.clock import Clock
from shared.runtime.health import Health
from shared.runtime.intake import Intake, Place
from shared.runtime.metrics import Metrics
from shared.runtime.moments import parse_time
from shared.runtime.positions import Tally
from shared.runtime.records import DueInstant, Record

ACCEPTED_AT = "crm_accepted_at"
"""The header that carries, through every topic, when the raw event was received."""


class BatchObserver:
    """Turns what the processor did into metrics; latency is sampled once a place and batch, at its oldest event."""

    def __init__(self, metrics: Metrics, health: Health, clock: Clock, stage: str | None) -> None:
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._stage = stage
        self.phase_seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time one phase of a batch."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ended(name, start)

    def ended(self, name: str, start: float) -> None:
        """Say that a phase that began at `start`, by `time.perf_counter`, ends now."""
        took = time.perf_counter() - start
        self.phase_seconds[name] = self.phase_seconds.get(name, 0.0) + took
        self._metrics.histogram("crm_batch_duration_seconds", phase=name).observe(took)

    def committed(self, intake: Intake, tally: Tally, dead: Mapping[str, int]) -> None:
        """Count a committed batch; `dead` counts its dead events by reason."""
        now = self._clock.now()
        for (topic, _), counter in tally.counts.items():
            for outcome, count in counter.items():
                self._metrics.counter("crm_consumer_records_total", topic=topic, outcome=outcome).inc(count)
        for reason, count in dead.items():
            self._metrics.counter("crm_dead_letters_total", reason=reason).inc(count)
        self._metrics.histogram("crm_batch_records").observe(len(intake.records))
        self._metrics.gauge("crm_consumer_last_commit_timestamp_seconds").set(now.timestamp())
        self._health.moved()
        if self._stage is not None:
            oldest: dict[Place, Record] = {}
            for record in intake.records:
                oldest.setdefault((record.topic, record.partition), record)
            for record in oldest.values():
                self._late("crm_end_to_end_latency_seconds", self._stage, record, ACCEPTED_AT, now)
                self._late("crm_event_time_lag_seconds", self._stage, record, "ce_time", now)

    def fired(self, instants: Sequence[DueInstant]) -> None:
        """Observe how late the clock was, once a firing, at its oldest instant."""
        if instants:
            late = (self._clock.now() - instants[0].at).total_seconds()
            self._metrics.histogram("crm_clock_lateness_seconds").observe(max(0.0, late))
            self._health.moved()

    def _late(self, metric: str, stage: str, record: Record, name: str, now: datetime) -> None:
        at = parse_time(header(record.headers, name))
        if at is not None:
            self._metrics.histogram(metric, stage=stage).observe(max(0.0, (now - at).total_seconds()))
