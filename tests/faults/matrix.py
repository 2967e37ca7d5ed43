"""Which rows there are."""

from collections.abc import Sequence

from tests.faults import input_faults, log_faults, member_faults, process_faults, server_faults
from tests.faults.counting import Counting
from tests.faults.profile import Profile
from tests.faults.rows import Row
from tests.faults.subjects import Subject

FULLY: tuple[Subject, ...] = (Counting(), Profile())
"""The services that go through the whole matrix."""
FAULTS = (process_faults, server_faults, member_faults, log_faults, input_faults)


def matrix() -> Sequence[Row]:
    """Return every row, in the order in which they are played."""
    return [row for subject in FULLY for faults in FAULTS for row in faults.rows(subject)]
