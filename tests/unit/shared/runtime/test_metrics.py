import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime.metric import CatalogueError, Label, Metric, MetricKind
from shared.runtime.metric_catalogue import CATALOGUE, SIZE_BUCKETS
from shared.runtime.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("profile", CollectorRegistry())


def test_what_is_counted_is_shown_with_the_service_filled_in(metrics: Metrics) -> None:
    metrics.counter("crm_consumer_records_total", topic="t", outcome="applied").inc(3)
    metrics.counter("crm_consumer_records_total", outcome="applied", topic="t").inc(2)
    metrics.gauge("crm_consumer_assigned_partitions").set(4)
    metrics.histogram("crm_batch_records").observe(7)
    shown = samples(metrics)
    labels = (("outcome", "applied"), ("service", "profile"), ("topic", "t"))
    assert shown[("crm_consumer_records_total", labels)] == 5
    assert shown[("crm_consumer_assigned_partitions", (("service", "profile"),))] == 4
    assert shown[("crm_batch_records_count", (("service", "profile"),))] == 1


def test_every_metric_of_the_catalogue_can_be_used(metrics: Metrics) -> None:
    for metric in CATALOGUE:
        labels = {
            label.name: label.values[0] if label.values else "x" for label in metric.labels if label.name != "service"
        }
        match metric.kind:
            case MetricKind.COUNTER:
                metrics.counter(metric.name, **labels).inc()
            case MetricKind.GAUGE:
                metrics.gauge(metric.name, **labels).set(1)
            case MetricKind.HISTOGRAM:
                metrics.histogram(metric.name, **labels).observe(1)
    shown = {name for name, _ in samples(metrics)}
    assert {
        f"{metric.name}_count" if metric.kind is MetricKind.HISTOGRAM else metric.name for metric in CATALOGUE
    } <= shown
    assert not any(name.endswith("_created") for name in shown)


def test_a_name_outside_the_catalogue_is_refused(metrics: Metrics) -> None:
    with pytest.raises(CatalogueError, match="crm_typo_total is not in the catalogue"):
        metrics.counter("crm_typo_total")


def test_another_kind_is_refused(metrics: Metrics) -> None:
    with pytest.raises(CatalogueError, match="is a counter, not a gauge"):
        metrics.gauge("crm_consumer_fenced_total")


@pytest.mark.parametrize(
    "labels",
    [{}, {"topic": "t"}, {"topic": "t", "outcome": "applied", "customer": "c-1"}, {"topic": "t", "outcome": "lost"}],
)
def test_labels_outside_the_catalogue_are_refused(metrics: Metrics, labels: dict[str, str]) -> None:
    with pytest.raises(CatalogueError, match="crm_consumer_records_total"):
        metrics.counter("crm_consumer_records_total", **labels)


def test_a_forgotten_partition_is_not_shown_any_more(metrics: Metrics) -> None:
    for partition in "01":
        metrics.gauge("crm_consumer_lag_records", topic="t", partition=partition).set(9)
    metrics.forget("crm_consumer_lag_records", partition="0", topic="t")
    metrics.forget("crm_consumer_lag_records", topic="never", partition="5")
    shown = [dict(labels)["partition"] for name, labels in samples(metrics) if name == "crm_consumer_lag_records"]
    assert shown == ["1"]
    metrics.gauge("crm_consumer_lag_records", topic="t", partition="0").set(2)
    labels = (("partition", "0"), ("service", "profile"), ("topic", "t"))
    assert samples(metrics)[("crm_consumer_lag_records", labels)] == 2


def test_a_service_brings_a_family_of_its_own() -> None:
    kpi = Metric("crm_kpi_revenue", MetricKind.GAUGE, "Revenue of the month.", (Label("currency"),))
    metrics = Metrics("metrics", CollectorRegistry(), also=[kpi])
    metrics.gauge("crm_kpi_revenue", currency="USD").set(11.5)
    assert samples(metrics)[("crm_kpi_revenue", (("currency", "USD"),))] == 11.5


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics("profile"), Metrics("segmenter")
    first.counter("crm_consumer_fenced_total").inc()
    assert ("crm_consumer_fenced_total", (("service", "profile"),)) in samples(first)
    assert not any(name == "crm_consumer_fenced_total" for name, _ in samples(second))
    assert any(name == "process_resident_memory_bytes" for name, _ in samples(first))


def test_the_version_is_shown(metrics: Metrics) -> None:
    assert [value for (name, _), value in samples(metrics).items() if name == "crm_build_info"] == [1]


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        (("orders", MetricKind.GAUGE, "Help."), "the name must be"),
        (("crm_orders", MetricKind.COUNTER, "Help."), "counters end in _total"),
        (("crm_orders_total", MetricKind.GAUGE, "Help."), "counters end in _total"),
        (("crm_wait", MetricKind.GAUGE, "Help.", (), "seconds"), "part of its name"),
        (("crm_wait_seconds", MetricKind.HISTOGRAM, "Help."), "have buckets"),
        (("crm_wait_seconds", MetricKind.GAUGE, "Help.", (), "", SIZE_BUCKETS), "have buckets"),
        (("crm_wait_seconds", MetricKind.HISTOGRAM, "Help.", (), "", (2.0, 1.0)), "buckets must rise"),
        (("crm_orders", MetricKind.GAUGE, "help"), "must be a sentence"),
        (("crm_orders", MetricKind.GAUGE, "Help.", (Label("Topic"),)), "labels must be snake case"),
        (("crm_orders", MetricKind.GAUGE, "Help.", (Label("a"), Label("a"))), "a label twice"),
    ],
)
def test_a_metric_that_breaks_the_rules_is_refused(metric: tuple[object, ...], problem: str) -> None:
    with pytest.raises(CatalogueError, match=problem):
        Metric(*metric)  # type: ignore[arg-type]  # rows of different lengths


def test_no_metric_is_in_the_catalogue_twice() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
