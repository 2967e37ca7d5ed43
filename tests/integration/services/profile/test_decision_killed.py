"""Whoever applies a decision may be killed at any point: it is applied once, as if nobody had been."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from services.profile import deciding
from services.profile.deciding import Preview
from services.profile.domain.decisions import Kind
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.planning import merge
from shared.contracts.identities import identity_id
from tests.integration.services.profile import ticking_process
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.test_deciding import ORDER, worker
from tests.integration.services.profile.test_postgres_customers import commit
from tests.property.services.profile.strategies import SECRET, interaction, record

ROOT = Path(__file__).parents[4]
U1, U2 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2"))
_LOOK = """
    SELECT (SELECT json_agg((id, root, version, membership) ORDER BY id) FROM identities),
        (SELECT json_agg((root, version) ORDER BY root) FROM customers),
        (SELECT json_agg((a, b, word IS NOT NULL) ORDER BY a, b) FROM links),
        (SELECT count(*) FROM decisions_applied), (SELECT count(*) FROM due), (SELECT count(*) FROM dead_letters),
        (SELECT array_agg(encode(k, 'hex') ORDER BY k) FROM publications, unnest(keys) AS k)
"""


async def tick(database_url: str, failpoints: str = "") -> int:
    """Let a process do what falls due; returns its exit code."""
    environment = {"PATH": os.environ["PATH"], "CRM_FAILPOINTS": failpoints}
    command = sys.executable, "-m", ticking_process.__name__, database_url
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    return await asyncio.wait_for(process.wait(), 60)


async def decide(connection: AsyncConnection, database_url: str) -> None:
    """Write a merge down."""
    said = [interaction("m-1", ORDER), interaction("m-2", ORDER, (("user_id", "u-2"), ("anonymous_id", "an-1")))]
    await commit(worker(), connection, [record(one) for one in said])
    looked = await deciding.look(connection, IdentityRules(), [U1, U2], merge(U1, U2))
    await connection.commit()
    await asyncio.to_thread(_write, database_url, looked)


def _write(database_url: str, looked: Preview) -> None:
    with psycopg.connect(database_url, options=OPTIONS) as connection:
        deciding.record(connection, looked, "test", "")


async def state(connection: AsyncConnection) -> tuple[Any, ...]:
    """Return everything that a decision touches."""
    async with connection.transaction():
        [row] = await (await connection.execute(_LOOK)).fetchall()
    return row


@pytest.mark.parametrize("point", ["after_fence", "in_transaction", "before_commit", "after_commit"])
async def test_a_decision_is_applied_once_whoever_is_killed_on_the_way(
    connection: AsyncConnection, database_url: str, point: str
) -> None:
    await decide(connection, database_url)
    before = await state(connection)
    assert (before[3], before[4], before[6]) == (0, 1, None)
    assert await tick(database_url, f"profile.{point}=kill@1") == -signal.SIGKILL
    killed = await state(connection)
    assert (killed == before) is (point != "after_commit")
    assert await tick(database_url) == 0
    after = await state(connection)
    assert (after[3], after[4], after[5]) == (1, 0, 0)
    assert [version for _, version in map(dict.values, after[1])] == [2]
    assert len(after[6]) == 2, "the record of the one, and the redirect of the other, each once"
    assert await tick(database_url) == 0
    assert await state(connection) == after


async def test_what_is_looked_at_is_what_is_applied(connection: AsyncConnection, database_url: str) -> None:
    await decide(connection, database_url)
    assert await tick(database_url) == 0
    cursor = await connection.execute(
        "SELECT d.kind, d.preview -> 'customers', a.result -> 'after' FROM decisions d JOIN decisions_applied a ON true"
    )
    [(kind, coming, came)] = await cursor.fetchall()
    (elder,) = coming
    assert (kind, came) == (Kind.MERGE, dict.fromkeys((U1, U2), elder))
