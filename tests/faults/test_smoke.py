"""Six rows of the matrix in each test run; `make faults` plays all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.local.stack import StackAddresses
from tests.faults.arena import Arena
from tests.faults.matrix import matrix
from tests.faults.play import play
from tests.faults.rows import Row

SMOKE = (
    "counting kill before_commit",
    "counting kill after_publish",
    "counting stop in_copy",
    "counting commit cut",
    "counting topic recreated while away",
    "profile kill after_commit",
)
ROWS = {row.name: row for row in matrix()}


@pytest.fixture
def arena(stack: StackAddresses, tmp_path: Path) -> Iterator[Arena]:
    """Give the run's own servers to play on."""
    arena = Arena(stack.kafka, stack.database_url, tmp_path)
    yield arena
    arena.close()


@pytest.mark.parametrize("row", [ROWS[name] for name in SMOKE], ids=SMOKE)
def test_a_fault_loses_nothing_and_doubles_nothing(row: Row, arena: Arena) -> None:
    played = play(arena, row)
    assert played.outcome.differences == [], played.evidence
