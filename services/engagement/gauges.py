"""From totals in the database to metrics: gauges as they stand, and counters that move by what came since."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from services.engagement.adapters.postgres_totals import Totals
from shared.contracts.outreach import MessageState
from shared.runtime.metrics import Metrics

_GAUGED = tuple(state for state in MessageState if state is not MessageState.SKIPPED)


class Gauges:
    """Shows totals; a lane's skips are counted from what it held when it became ours."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._skipped: dict[int, Mapping[str, int]] = {}

    def show(self, totals: Totals, lanes: frozenset[int], now: datetime) -> None:
        """Show what was counted on the lanes held."""
        standing: Counter[tuple[str, str]] = Counter()
        since: dict[tuple[str, str], datetime] = {}
        skipped: dict[int, Counter[str]] = {lane: Counter() for lane in lanes}
        for (lane, channel, state, rule), found in totals.messages.items():
            if state == MessageState.SKIPPED:
                skipped[lane][rule] += found.count
            else:
                standing[channel, state] += found.count
                since[channel, state] = min(since.get((channel, state), found.since), found.since)
        for channel in {"email", *(channel for channel, _ in standing)}:
            for state in _GAUGED:
                labels = {"channel": channel, "state": state.value}
                self._metrics.gauge("crm_outreach_messages", **labels).set(standing[channel, state])
                self._metrics.gauge("crm_outreach_state_oldest_seconds", **labels).set(
                    _seconds(since.get((channel, state)), now)
                )
        for lane, rules in skipped.items():
            before = self._skipped.get(lane)
            for rule, count in rules.items():
                new = 0 if before is None else count - before.get(rule, 0)
                self._metrics.counter("crm_outreach_skipped_total", reason=rule).inc(max(new, 0))
        self._skipped = dict(skipped)
        self._metrics.gauge("crm_outreach_triggers_parked").set(totals.parked)
        self._metrics.gauge("crm_outreach_triggers_parked_oldest_seconds").set(_seconds(totals.parked_since, now))


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
