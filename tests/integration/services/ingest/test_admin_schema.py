"""Whatever the admin API's own description allows or forbids, its answers keep to it, and none is a server's error."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from psycopg import AsyncConnection
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from services.ingest.admin.openapi import description
from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import Role
from shared.runtime.schema_revision import history_of
from shared.runtime.topic_admin import create_topics
from tests.databases import fresh_database
from tests.integration.services.ingest.admin import api, by, calling
from tests.integration.services.ingest.feeding import feed
from tests.unit.services.ingest.records import order, raw

PATHS: dict[str, Any] = json.loads(description())["paths"]
OPERATIONS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods]


@pytest.fixture(scope="module")
def described(stack: StackAddresses) -> Iterator[schemathesis.BaseSchema]:
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    with fresh_database(stack, history_of("ingest")) as address, calling(api(address, stack.kafka)) as client:
        asyncio.run(_fill(address))
        yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


async def _fill(address: str) -> None:
    async with await AsyncConnection.connect(address, options="-c search_path=ingest") as connection:
        await feed(connection, [raw(order(total="a lot"), offset=1), raw(b"\xff", [("x", b"\xff")], offset=2)])


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
def test_every_answer_is_as_described(
    described: schemathesis.BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    operation = described[path][method]

    @settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        # Words say more than a schema can: a group or ids and not both, a burst only beside a rate, a patch's pointers.
        excluded = [positive_data_acceptance]
        body = case.meta.components.get(ParameterLocation.BODY)
        if body is None or body.mode.is_positive:
            # What is wrong may be a header that we set right below, or a parameter that nobody asks for.
            excluded.append(negative_data_rejection)
        answer = case.call_and_validate(headers=by(Role.ADMIN), excluded_checks=excluded)
        assert answer.status_code < 500

    holds()
