"""What all tests share: marks by folder, and how hard Hypothesis tries."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on each run in CI, so that a red run can be repeated; `make test-deep` looks further.
settings.register_profile("everyday", max_examples=100, deadline=None, derandomize="CI" in os.environ)
settings.register_profile("deep", max_examples=10_000, deadline=None, derandomize=False)
settings.load_profile("everyday")

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder it lies in."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            item.add_marker(item.path.relative_to(TESTS).parts[0])
