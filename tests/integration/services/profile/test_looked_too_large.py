"""Who only looks takes no more of memory and time than whoever applies decisions: beyond that, words are the answer."""

import httpx
import pytest
from psycopg import AsyncConnection

from services.profile import deciding
from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain import extent
from shared.runtime.api_keys import Role
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile import test_deciding
from tests.integration.services.profile.query import api, calling, get
from tests.integration.services.profile.test_deciding import clock
from tests.integration.services.profile.test_explaining import Ask, ask
from tests.integration.services.profile.test_query_deciding import post
from tests.unit.services.profile.in_memory import new_handler

__all__ = ["ask", "clock"]

MERGE = "/customers/user_id:u-1/merge"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a region be too large soon."""
    monkeypatch.setattr(extent, "MOST_RESOLVED", 2)


@pytest.fixture
async def stuck(connection: AsyncConnection, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - first
    """Let PostgreSQL take longer for links than anybody waits."""
    monkeypatch.setattr(deciding, "LOOKED_SECONDS", 0.2)
    await connection.execute("LOCK TABLE links IN ACCESS EXCLUSIVE MODE")


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "command",
    [
        ("explain", "user_id:u-1"),
        ("merge", "user_id:u-1", "user_id:u-2", "--dry-run"),
        ("block", "email:eva@example.com", "--yes"),
    ],
)
async def test_what_is_too_large_ends_a_command_in_words(ask: Ask, command: tuple[str, ...]) -> None:
    answer = await ask(*command)
    assert answer.exit_code == 1
    assert "More than 2 identities were named with each other" in answer.stderr


@pytest.mark.usefixtures("stuck")
@pytest.mark.parametrize("command", [("explain", "user_id:u-1"), ("merge", "user_id:u-1", "user_id:u-2", "--dry-run")])
async def test_what_takes_too_long_ends_a_command_in_words(ask: Ask, command: tuple[str, ...]) -> None:
    answer = await ask(*command)
    assert answer.exit_code == 1
    assert "took PostgreSQL more than 0.2 seconds" in answer.stderr


@pytest.mark.usefixtures("ask", "small")
async def test_what_is_too_large_is_refused_over_http(database_url: str) -> None:
    with calling(api(database_url)) as client:
        explained = get(client, "/customers/user_id:u-1/explain")
        merged = await post(client, MERGE, other="user_id:u-2", dry_run=True)
    assert _refused(explained, "too_large", "More than 2 identities"), explained.text
    assert _refused(merged, "refused", "More than 2 identities"), merged.text


@pytest.mark.usefixtures("ask", "stuck")
async def test_what_takes_too_long_is_refused_over_http(database_url: str) -> None:
    with calling(api(database_url)) as client:
        explained = get(client, "/customers/user_id:u-1/explain")
        merged = await post(client, MERGE, Role.OPERATE, other="user_id:u-2", dry_run=True)
    assert _refused(explained, "too_large", "took PostgreSQL more than"), explained.text
    assert _refused(merged, "refused", "took PostgreSQL more than"), merged.text


def _refused(answer: httpx.Response, code: str, words: str) -> bool:
    said = answer.json()
    return (answer.status_code, said["code"]) == (409, code) and words in said["message"]


@pytest.mark.usefixtures("clock")
async def test_a_decision_that_a_worker_refuses_is_told_as_refused(
    ask: Ask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fitted when it was looked at may be too large when it is applied: events came in between."""
    monkeypatch.setattr(test_deciding, "worker", lambda: new_handler(PostgresCustomers(NullFailpoints()), most=2))
    answer = await ask("merge", "user_id:u-1", "user_id:u-2", "--yes")
    assert answer.exit_code == 1
    assert "was refused: More than 2 identities" in answer.stderr
    assert "Done" not in answer.stdout
    listed = (await ask("decisions")).stdout
    assert "refused" in listed
    with calling(api(database_url)) as client:
        merged = await post(client, MERGE, other="user_id:u-2")
    assert _refused(merged, "refused", "More than 2 identities"), merged.text
