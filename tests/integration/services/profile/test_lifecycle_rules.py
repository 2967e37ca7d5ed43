"""Other stages of the lifecycle: what comes in goes by them, and a rebuild has everybody else published anew."""

import json
import random
from pathlib import Path

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.app import service
from services.profile.cli.customers import app
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import Stage
from services.profile.handlers import ProfileHandler
from services.profile.state_cache import StateCache
from shared.contracts.customers import Lifecycle
from shared.contracts.topics import CUSTOMERS
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Publication
from tests.integration.services.profile.rebuilding import rows, site_on
from tests.integration.services.profile.test_equality_check import settings
from tests.integration.services.profile.test_rebuild import lived
from tests.integration.services.profile.test_rebuild_meanwhile import couples
from tests.integration.services.profile.test_who_is_who import commit
from tests.property.services.profile.strategies import SECRET, interaction, record

RULES = IdentityRules()
STAGES = (Stage(Lifecycle.CUSTOMER, {"orders": 3}), Stage(Lifecycle.LEAD, {"orders": 1}), Stage(Lifecycle.VISITOR, {}))
ORDER = ("Order Completed", "order", {"total": {"amount": "3.5", "currency": "EUR"}})


def stages_in(published: list[Publication]) -> list[str]:
    """Return the stage in each record."""
    records = [one.message.value or b"" for one in published if one.topic == CUSTOMERS.name]
    return [value.partition(b'"lifecycle":"')[2].partition(b'"')[0].decode() for value in records]


async def test_an_event_is_published_and_rendered_again_by_the_stages_of_the_worker(
    connection: AsyncConnection,
) -> None:
    handler = ProfileHandler(PostgresCustomers(NullFailpoints()), StateCache(9), 4, RULES, stages=STAGES)
    who = [("user_id", "u-1"), ("email", "eva@example.com")]
    published = [*await commit(handler, connection, [record(interaction("m-1", ORDER, who))])]
    published += await commit(handler, connection, [record(interaction("m-2", ORDER, [("user_id", "u-2")]))])
    assert stages_in(published) == ["lead", "lead"]
    keys = [one.key for one in published if one.topic == CUSTOMERS.name]
    again = await PostgresOutlet(STAGES).render(connection, CUSTOMERS.name, keys)
    assert [one.value for one in again] == [one.message.value for one in published if one.topic == CUSTOMERS.name]


async def test_a_rebuild_publishes_whose_stage_is_another_now_and_nobody_else(
    database_url: str, connection: AsyncConnection
) -> None:
    topic = await lived(connection, couples(), RULES, random.Random(1))  # noqa: S311 - a seeded order
    third = record(interaction("third", ORDER, [("user_id", "u-0")]))
    topic.take(
        await commit(ProfileHandler(PostgresCustomers(NullFailpoints()), StateCache(9), 4, RULES), connection, [third])
    )
    async with site_on(database_url, RULES, stages=STAGES) as watched:
        found = await watched.rebuild()
        assert (found.different, found.switched, found.equal) == (39, 39, 1)
        assert {one.path for one in found.differences} == {"$.lifecycle"}
        assert stages_in(watched.published) == ["lead"] * 39
        topic.take(watched.published)
        before = await rows(connection)
        again = await watched.rebuild()
        assert (again.different, await rows(connection)) == (0, before)


async def test_the_service_reads_its_stages_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lifecycle.yaml"
    file.write_text("stages:\n  - stage: lead\n    any: {orders: 7}\n  - stage: visitor\n")
    made = service(settings(lifecycle_stages=file)).outlet(None)  # type: ignore[arg-type]  # it needs nothing of it
    assert isinstance(made, PostgresOutlet)
    assert made.stages == (Stage(Lifecycle.LEAD, {"orders": 7}), Stage(Lifecycle.VISITOR, {}))


async def test_a_record_is_shown_by_the_stages_in_the_file(
    connection: AsyncConnection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = [("user_id", "u-1")]
    await lived(connection, [interaction("m-1", ORDER, who)], RULES, random.Random(1))  # noqa: S311 - one event
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())

    def shown() -> Result:
        return CliRunner().invoke(app, ["show", "user_id:u-1", "--json"])

    assert json.loads(shown().stdout)["customer"]["lifecycle"] == "customer"
    file = tmp_path / "lifecycle.yaml"
    file.write_text("stages:\n  - stage: lead\n    any: {orders: 1}\n  - stage: visitor\n")
    monkeypatch.setenv("CRM_PROFILE_LIFECYCLE_STAGES", str(file))
    assert json.loads(shown().stdout)["customer"]["lifecycle"] == "lead"
    file.write_text("stages: none")
    refused = shown()
    assert (refused.exit_code, "lifecycle.yaml:1" in refused.stderr) == (2, True)
