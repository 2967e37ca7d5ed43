"""Which rows there are."""

from collections.abc import Sequence

from tests.faults import process_faults
from tests.faults.counting import Counting
from tests.faults.rows import Row
from tests.faults.subjects import Subject

FULLY: tuple[Subject, ...] = (Counting(),)
"""The services that go through the whole matrix."""


def matrix() -> Sequence[Row]:
    """Return every row, in the order in which they are played."""
    return [row for subject in FULLY for row in process_faults.rows(subject)]
