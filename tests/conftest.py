"""What all tests share: marks by folder, how hard Hypothesis tries, and the two servers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from shared.local.stack import StackAddresses
from shared.local.temporary import temporary_stack

_FOLDER = Path(__file__).parent
_MARKS = frozenset({"unit", "property", "contract", "architecture", "integration", "e2e", "faults", "benchmarks"})

# The same examples on each run in CI, so that a red run can be repeated; `make test-deep` looks further.
settings.register_profile("everyday", max_examples=100, deadline=None, derandomize="CI" in os.environ)
settings.register_profile("deep", max_examples=10_000, deadline=None, derandomize=False)
settings.load_profile("everyday")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder under tests/ that it lies in."""
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            kind = item.path.relative_to(_FOLDER).parts[0]
            if kind in _MARKS:
                item.add_marker(kind)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAddresses]:
    """Give one Kafka and one PostgreSQL for the whole run; tests keep apart by names of topics and schemas.

    They are the ones of CRM_KAFKA_BOOTSTRAP_SERVERS and CRM_DATABASE_URL, containers under CRM_STACK=containers, else
    embedded ones of this run alone, started by the first test that asks.
    """
    with temporary_stack(tmp_path_factory.mktemp("stack"), environment=os.environ) as servers:
        addresses = servers.addresses()
        assert addresses is not None
        yield addresses
