"""Deciding over HTTP: looked at, applied by the clock, asked about by id, refused in words, and for operators alone."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection

from services.profile.query import deciding
from shared.contracts.identities import identity_id
from shared.runtime import due
from shared.runtime.api_keys import Role
from tests.integration.services.profile.query import api, by, calling, get
from tests.integration.services.profile.test_deciding import ORDER, clock, worker
from tests.integration.services.profile.test_postgres_customers import commit
from tests.property.services.profile.strategies import SECRET, interaction, record
from tests.unit.services.profile.in_memory import ring

__all__ = ["clock"]

EVA = (("user_id", "u-1"), ("email", "eva@example.com"))
U1, U2 = (identity_id(SECRET, "user_id", user) for user in ("u-1", "u-2"))


@pytest.fixture
async def client(connection: AsyncConnection, database_url: str) -> AsyncIterator[httpx.Client]:
    said = [interaction("m-1", ORDER, EVA), interaction("m-2", ORDER, (("user_id", "u-2"),))]
    await commit(worker(), connection, [record(event) for event in said])
    with calling(api(database_url)) as found:
        yield found


async def post(client: httpx.Client, path: str, role: Role = Role.OPERATE, **asked: Any) -> httpx.Response:
    """Ask for a decision, while the clock goes on."""
    return await asyncio.to_thread(client.post, path, headers=by(role), json=asked)


@pytest.mark.usefixtures("clock")
async def test_a_merge_and_its_undoing_leave_the_records_as_they_were(client: httpx.Client) -> None:
    def shown() -> list[Any]:
        return [get(client, f"/customers/{who}").json()["customer"] for who in ("user_id:u-1", "user_id:u-2")]

    before = shown()
    looked = await post(client, "/customers/user_id:u-1/merge", other="user_id:u-2", dry_run=True)
    assert (looked.status_code, looked.json()["id"], shown()) == (200, None, before)
    merged = await post(client, "/customers/user_id:u-1/merge", other="user_id:u-2", why="one passport")
    assert merged.status_code == 200, merged.text
    one, other = shown()
    assert (one, one["orders"]["count"]) == (other, 2)
    explained = get(client, "/customers/user_id:u-2/explain").json()
    assert [link["decision"]["who"] for link in explained["held"] if link["decision"]] == ["api:operate"]
    listed = get(client, "/decisions").json()["decisions"]
    assert [(made["kind"], made["why"]) for made in listed] == [("merge", "one passport")]
    undone = await post(client, "/customers/user_id:u-2/unmerge")
    assert (undone.status_code, shown()) == (200, before)


async def test_what_no_worker_applied_yet_is_asked_about_by_its_id(
    client: httpx.Client, connection: AsyncConnection
) -> None:
    waiting = await post(client, "/customers/user_id:u-1/block")
    assert (waiting.status_code, waiting.json()["applied"]) == (202, None)
    path = f"/decisions/{waiting.json()['id']}"
    assert get(client, path).json()["applied_at"] is None
    fired = await due.take(connection, dict.fromkeys(range(4), datetime.now(UTC)), 10)
    await ring(worker(), [one.key for one in fired], connection)
    await connection.commit()
    assert get(client, path).json()["applied_at"] is not None


async def test_as_many_decisions_as_there_are_connections_wait_for_a_worker_and_keep_nobody_from_reading(
    client: httpx.Client, connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "PATIENCE_SECONDS", 60.0)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(10))
    waiting = [asyncio.create_task(post(client, "/customers/user_id:u-1/block")) for _ in range(8)]
    while await _written_down(connection) < len(waiting):
        assert not any(one.done() for one in waiting)
        await asyncio.sleep(0.02)
    read = await asyncio.to_thread(get, client, "/customers/user_id:u-2")
    assert (read.status_code, [one.done() for one in waiting]) == (200, [False] * 8), read.text
    fired = await due.take(connection, dict.fromkeys(range(4), datetime.now(UTC)), 10)
    await ring(worker(), [one.key for one in fired], connection)
    await connection.commit()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}


async def _written_down(connection: AsyncConnection) -> int:
    cursor = await connection.execute("SELECT count(*) FROM decisions")
    row = await cursor.fetchone()
    await connection.commit()
    return 0 if row is None else int(row[0])


@pytest.mark.parametrize(
    ("path", "asked", "status", "words"),
    [
        ("/customers/user_id:u-1/merge", {"other": "email:eva@example.com"}, 409, "one customer already"),
        ("/customers/user_id:u-1/merge", {"other": "user_id:nobody"}, 404, "Nobody was seen"),
        ("/customers/user_id:u-1/merge", {"other": "nobody"}, 422, "32 hexadecimal digits"),
        ("/customers/user_id:u-1/merge", {}, 422, "other"),
        ("/customers/user_id:u-1/merge", {"other": "user_id:u-2", "why": "a\nb"}, 422, "why"),
        ("/customers/user_id:u-1/unmerge", {}, 409, "Nobody merged this customer"),
        ("/customers/user_id:u-1/split", {"leaving": ["user_id:u-2"]}, 409, "not that customer's"),
        ("/customers/user_id:u-1/unblock", {}, 409, "not blocked"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    client: httpx.Client, path: str, asked: dict[str, Any], status: int, words: str
) -> None:
    answer = await post(client, path, **asked)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert "eva@" not in answer.text
    assert get(client, "/decisions").json() == {"decisions": []}


async def test_who_may_only_read_decides_nothing(client: httpx.Client) -> None:
    assert (await post(client, "/customers/user_id:u-1/block", Role.READ)).status_code == 403
    assert get(client, "/decisions").json() == {"decisions": []}
