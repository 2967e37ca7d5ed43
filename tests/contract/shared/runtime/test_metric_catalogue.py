"""What the catalogue promises to whoever watches, the code measures."""

from pathlib import Path

import pytest

from shared.runtime import metric_catalogue
from shared.runtime.metric_catalogue import CATALOGUE

ROOT = Path(__file__).parents[4]
CODE = "\n".join(
    path.read_text("utf-8")
    for folder in ("services", "shared")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(metric_catalogue.__file__)
)
PHASES = next(
    label.values
    for metric in CATALOGUE
    for label in metric.labels
    if (metric.name, label.name) == ("crm_batch_duration_seconds", "phase")
)


@pytest.mark.parametrize("name", [metric.name for metric in CATALOGUE])
def test_a_metric_of_the_catalogue_is_measured_somewhere(name: str) -> None:
    assert f'"{name}"' in CODE


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_of_the_catalogue_is_timed_somewhere(phase: str) -> None:
    assert any(use in CODE for use in (f'.phase("{phase}")', f'.ended("{phase}"', f'phase="{phase}"'))
