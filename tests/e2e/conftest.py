"""All of Rapport, once for all tests here: real servers of their own, for our topics have fixed names."""

from collections.abc import Iterator

import pytest

from tests.e2e.rapport import Rapport, running


@pytest.fixture(scope="package")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    """Start two servers and everything of ours; gone before the next folder's tests need the processor."""
    with running(tmp_path_factory.mktemp("rapport")) as started:
        yield started
