"""One gateway for the tests of a module that only speak to it."""

from collections.abc import Iterator

import pytest

from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.topic_admin import create_topics
from tests.integration.services.ingest.gateway.servers import LANES, OURS, Tail


@pytest.fixture
def tail(stack: StackAddresses) -> Iterator[Tail]:
    """Give what is written from now on."""
    create_topics(stack.kafka, [RAW_EVENTS], LANES)
    found = Tail(stack, OURS)
    yield found
    found.close()
