from collections.abc import Iterator

import pytest

from shared.local.stack import StackAddresses
from tests.counting.app import HISTORY
from tests.databases import fresh_database


@pytest.fixture
def counting_database(stack: StackAddresses) -> Iterator[str]:
    """Give an empty database of the counting service's own."""
    with fresh_database(stack, HISTORY) as address:
        yield address
