"""What a metric is: a name with its kind, meaning, labels and unit, by rules that each must keep."""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.runtime.errors import FatalError

_NAME = re.compile(r"crm_[a-z][a-z0-9_]*[a-z0-9]")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")


class MetricKind(StrEnum):
    """What a metric does over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class CatalogueError(FatalError):
    """A metric breaks the catalogue's rules, or code uses one that the catalogue does not know."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its name and the only values it may take; with no values listed, few and named by people."""

    name: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family: base units, bounded labels, never an id, an address or a URL as a label.

    `unit` is empty for a plain count of things. Counters end in `_total`, and a unit is part of the name.

    Raises:
        CatalogueError: the name, a label, the unit or the buckets break these rules.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[Label, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise CatalogueError(f"metric {self.name}: {problem}")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Return the labels' names in the order of the catalogue."""
        return tuple(label.name for label in self.labels)


def _problem(metric: Metric) -> str:
    rules = (
        (_NAME.fullmatch(metric.name) is None, "the name must be crm_ and snake case"),
        (
            (metric.kind is MetricKind.COUNTER) != metric.name.endswith("_total"),
            "counters end in _total and nothing else does",
        ),
        (
            bool(metric.unit) and f"_{metric.unit}" not in metric.name,
            f"its unit {metric.unit} must be part of its name",
        ),
        ((metric.kind is MetricKind.HISTOGRAM) != bool(metric.buckets), "histograms and only they have buckets"),
        (list(metric.buckets) != sorted(set(metric.buckets)), "buckets must rise"),
        (not metric.help.endswith("."), "its help must be a sentence"),
        (not all(_LABEL.fullmatch(name) for name in metric.label_names), "labels must be snake case"),
        (len(set(metric.label_names)) != len(metric.labels), "it has a label twice"),
    )
    return next((text for broken, text in rules if broken), "")
