"""Which rows there are."""

from collections.abc import Sequence

from tests.faults import input_faults, joined, log_faults, member_faults, merging, process_faults, server_faults, stages
from tests.faults.counting import Counting
from tests.faults.pipeline import Pipeline
from tests.faults.profile import Profile
from tests.faults.rows import Row
from tests.faults.subjects import Subject

FULLY: tuple[Subject, ...] = (Counting(), Profile())
"""The services that go through the whole matrix."""
ONCE_EACH = (stages.INGEST, stages.SEGMENTER, stages.ENGAGEMENT, stages.METRICS)
"""The services that are killed and stopped once each, in the midst of all five."""

FAULTS = (process_faults, server_faults, member_faults, log_faults, input_faults)


def matrix() -> Sequence[Row]:
    """Return every row, in the order in which they are played."""
    whole = [row for subject in FULLY for faults in FAULTS for row in faults.rows(subject)]
    whole += [*merging.rows(), *joined.rows()]
    return whole + [row for stage in ONCE_EACH for row in process_faults.two_rows(Pipeline(stage))]
