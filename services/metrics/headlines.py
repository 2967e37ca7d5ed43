"""The headline KPIs as gauges for Prometheus: what each view says now, for KPIs by month the month so far."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.metrics.adapters.kpi_queries import question
from services.metrics.domain.kpis import KPIS, Kpi
from shared.runtime.clock import Clock
from shared.runtime.metric import Label, Metric, MetricKind
from shared.runtime.metrics import Metrics

_SO_FAR = " This month so far, in UTC."
_NOW = " Now."


def gauge_of(kpi: Kpi) -> Metric:
    """Describe the gauge of a KPI."""
    return Metric(
        f"crm_kpi_{kpi.name}",
        MetricKind.GAUGE,
        kpi.help + (_SO_FAR if kpi.by_month else _NOW),
        tuple(Label(label) for label in kpi.labels),
    )


GAUGES: tuple[Metric, ...] = tuple(gauge_of(kpi) for kpi in KPIS)
"""The family `crm_kpi_…`, handed to `Metrics` beside the catalogue."""


class Headlines:
    """Reads every KPI in one snapshot and shows it; a set of labels that is no longer there is shown no more."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], metrics: Metrics, clock: Clock) -> None:
        self._pool = pool
        self._metrics = metrics
        self._clock = clock
        self._shown: dict[str, set[tuple[str, ...]]] = {}

    async def refresh(self) -> None:
        """Show what the views say.

        Raises:
            psycopg.OperationalError, psycopg_pool.PoolTimeout: PostgreSQL did not answer; the gauges stay as they are.
        """
        month = self._clock.now().date().replace(day=1)
        async with self._pool.connection() as connection:
            answers = await _ask(connection, month)
        for kpi, rows in answers:
            self._show(kpi, rows)

    def _show(self, kpi: Kpi, rows: Iterable[Sequence[Any]]) -> None:
        name = f"crm_kpi_{kpi.name}"
        values = {_labels(kpi, row): float(row[-1]) for row in rows}
        if not kpi.labels:
            values.setdefault((), 0.0)
        for gone in self._shown.get(name, set()) - set(values):
            self._metrics.forget(name, **_named(kpi, gone))
        for labels, value in values.items():
            self._metrics.gauge(name, **_named(kpi, labels)).set(value)
        self._shown[name] = set(values)


async def _ask(connection: AsyncConnection, month: date) -> list[tuple[Kpi, list[tuple[Any, ...]]]]:
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    answers = []
    for kpi in KPIS:
        query, parameters = question(kpi, month, month) if kpi.by_month else question(kpi)
        cursor = await connection.execute(query, parameters)
        answers.append((kpi, await cursor.fetchall()))
    return answers


def _labels(kpi: Kpi, row: Sequence[Any]) -> tuple[str, ...]:
    start = 1 if kpi.by_month else 0
    return tuple(str(value) for value in row[start : start + len(kpi.labels)])


def _named(kpi: Kpi, values: Sequence[str]) -> Mapping[str, str]:
    return dict(zip(kpi.labels, values, strict=True))
