"""Instruments: the only way to count something, and only what the catalogue knows."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Literal, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from shared.runtime.metric import CatalogueError, Metric, MetricKind
from shared.runtime.metric_catalogue import CATALOGUE

EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUILD = "crm_build_info"

T = TypeVar("T", Counter, Gauge, Histogram)

# Twice the series for a time that nothing of ours reads.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library forgot its None


class Metrics:
    """The metrics of one service's process, in a registry of their own.

    `counter`, `gauge` and `histogram` return the instrument of one metric and one set of labels; the label `service`
    fills itself in. Looking one up costs a dict access after the first time. A service that names gauges of its own
    (`crm_kpi_…`) passes them as `also`.

    Raises:
        CatalogueError: the name is not in the catalogue or of another kind; labels are missing, unknown, or have a
            value that the catalogue does not list.
    """

    def __init__(self, service: str, registry: CollectorRegistry | None = None, *, also: Iterable[Metric] = ()) -> None:
        self.service = service
        if registry is None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
        self.registry = registry
        self._known = {metric.name: metric for metric in (*CATALOGUE, *also)}
        self._families: dict[str, MetricWrapperBase] = {}
        self._instruments: dict[tuple[str, tuple[tuple[str, str], ...]], MetricWrapperBase] = {}
        self.gauge(_BUILD, version=version("rapport-crm")).set(1)

    def counter(self, name: str, **labels: str) -> Counter:
        """Return a counter: `inc(n)`."""
        return self._instrument(Counter, self._new_counter, MetricKind.COUNTER, name, labels)

    def gauge(self, name: str, **labels: str) -> Gauge:
        """Return a gauge: `set(x)`, `inc()`, `dec()`."""
        return self._instrument(Gauge, self._new_gauge, MetricKind.GAUGE, name, labels)

    def histogram(self, name: str, **labels: str) -> Histogram:
        """Return a histogram: `observe(x)`."""
        return self._instrument(Histogram, self._new_histogram, MetricKind.HISTOGRAM, name, labels)

    def forget(self, name: str, **labels: str) -> None:
        """Stop showing one set of labels, say of a partition that is now read elsewhere; unknown ones are fine."""
        values = self._label_values(self._metric(name), labels)
        family = self._families.get(name)
        self._instruments = {
            key: instrument
            for key, instrument in self._instruments.items()
            if not (key[0] == name and dict(key[1]) == labels)
        }
        if family is not None and values:
            family.remove(*values)

    def exposition(self) -> bytes:
        """Render everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _instrument(
        self, cls: type[T], make: Callable[[Metric], T], kind: MetricKind, name: str, labels: dict[str, str]
    ) -> T:
        key = (name, tuple(labels.items()))
        found = self._instruments.get(key)
        if isinstance(found, cls):
            return found
        metric = self._metric(name)
        if metric.kind is not kind:
            raise CatalogueError(f"metric {name} is a {metric.kind}, not a {kind}")
        values = self._label_values(metric, labels)
        family = self._families.get(name)
        if not isinstance(family, cls):
            family = make(metric)
            self._families[name] = family
        instrument = family.labels(*values) if values else family
        self._instruments[key] = instrument
        return instrument

    def _new_counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.label_names, registry=self.registry)

    def _new_gauge(self, metric: Metric) -> Gauge:
        # Where several processes show one page: what each holds adds up, but for what is the same in all.
        several: Literal["livemax", "livesum"] = "livemax" if metric.name == _BUILD else "livesum"
        return Gauge(metric.name, metric.help, metric.label_names, registry=self.registry, multiprocess_mode=several)

    def _new_histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.help, metric.label_names, registry=self.registry, buckets=metric.buckets)

    def _metric(self, name: str) -> Metric:
        metric = self._known.get(name)
        if metric is None:
            raise CatalogueError(f"metric {name} is not in the catalogue")
        return metric

    def _label_values(self, metric: Metric, labels: dict[str, str]) -> tuple[str, ...]:
        given = {"service": self.service, **labels} if "service" in metric.label_names else labels
        if set(given) != set(metric.label_names):
            raise CatalogueError(
                f"metric {metric.name} has the labels {', '.join(metric.label_names) or 'none'}, "
                f"got {', '.join(given) or 'none'}"
            )
        for label in metric.labels:
            if label.values and given[label.name] not in label.values:
                raise CatalogueError(
                    f"metric {metric.name}: {label.name} is one of {', '.join(label.values)}, got {given[label.name]!r}"
                )
        return tuple(given[name] for name in metric.label_names)
