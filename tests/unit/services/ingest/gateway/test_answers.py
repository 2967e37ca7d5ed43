"""Each request is answered as the wire's contract says, and what it held is on the topic."""

import pytest

from tests.unit.services.ingest.gateway.case import Case
from tests.unit.services.ingest.gateway.cases import CASES
from tests.unit.services.ingest.gateway.checking import check
from tests.unit.services.ingest.gateway.gateways import InMemoryLog, running, told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
async def test_a_request_is_answered_as_agreed(case: Case) -> None:
    log = InMemoryLog()
    async with running(log) as gateway:
        reply = await gateway.ask(case.method, case.path, case.body, case.all_headers, case.query)
    check(case, reply)
    assert tuple(told((message.value, headers) for message, headers in log.written)) == case.topic
