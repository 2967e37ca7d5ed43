"""The reference of metrics, written from the catalogue."""

from collections.abc import Iterable

from shared.runtime.metric import Metric
from shared.runtime.metric_catalogue import CATALOGUE

HEAD = """\
# Metrics

Each process serves its own at `/metrics`, in Prometheus' text format, beside the usual `process_*`. Base units, bounded
labels, never an id, an address or a URL as a label. The label `service` is the process's own.

Written by `python -m shared.runtime.reference metrics` from the catalogue; edit the help texts there.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def metrics_reference(metrics: Iterable[Metric] = CATALOGUE) -> str:
    """Render the catalogue of metrics."""
    return HEAD + "".join(
        f"| `{metric.name}` | {metric.kind} | {_labels(metric)} | {_cell(metric.help)} |\n" for metric in metrics
    )


def _labels(metric: Metric) -> str:
    return ", ".join(
        f"{label.name} ({', '.join(label.values)})" if label.values else label.name for label in metric.labels
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
