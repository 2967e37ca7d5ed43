"""Whatever the query API's own description allows or forbids, its answers keep to it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from psycopg import AsyncConnection
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from services.profile.query.openapi import description
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import Role
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.query import api, by, calling, eventually, get
from tests.integration.services.profile.test_postgres_customers import commit, feed, new_handler
from tests.property.services.profile.strategies import interaction, record

PATHS: dict[str, Any] = json.loads(description())["paths"]
OPERATIONS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods]
FINDING = [one for one in OPERATIONS if one[0] == "GET" and "{decision}" not in one[1]]
KNOWN = {"who": "user_id:u-1", "trait": "city", "account": "acme"}
ASKED = {"/customers": {"search": "u-"}}


@pytest.fixture(scope="module")
def described(stack: StackAddresses) -> Iterator[schemathesis.BaseSchema]:
    with fresh_database(stack, history_of("profile")) as address:
        asyncio.run(_fill(address))
        with calling(api(address)) as client:
            eventually(lambda: bool(get(client, "/customers", search="u-").json()["customers"]))
            yield schemathesis.openapi.from_url(f"{client.base_url}/openapi.json")


async def _fill(address: str) -> None:
    joined: Any = ("Group Joined", "group", {"group_id": "acme", "name": "Acme"})
    async with await AsyncConnection.connect(address, options=OPTIONS) as connection:
        await commit(new_handler(), connection, [*feed(1, 300), record(interaction("g", joined))])


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
def test_every_answer_is_as_described(
    described: schemathesis.BaseSchema, method: str, path: str, mode: GenerationMode
) -> None:
    @settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        # Words say more than a schema can: search or identity and not both, a cursor that a page gave.
        excluded = [positive_data_acceptance, negative_data_rejection]
        answer = case.call_and_validate(headers=by(Role.ADMIN), excluded_checks=excluded)
        assert answer.status_code < 500

    holds()


@pytest.mark.parametrize(("method", "path"), FINDING, ids=[" ".join(one) for one in FINDING])
def test_what_is_found_is_as_described(described: schemathesis.BaseSchema, method: str, path: str) -> None:
    names = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in path}
    case = described[path][method].Case(path_parameters=names, query=ASKED.get(path, {}))
    answer = case.call_and_validate(headers=by(Role.READ))
    assert answer.status_code == 200
