"""The admin API on a real PostgreSQL: the same verbs as the command line, for whom they are, and audited."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from psycopg import AsyncConnection, Connection

from services.ingest.quarantine import sending
from services.ingest.quarantine.selecting import Everything
from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import Role
from shared.runtime.topic_admin import create_topics
from tests.integration.services.ingest.admin import api, call, calling
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.worker import eventually
from tests.unit.services.ingest.records import READER, order, raw

TOTAL = [{"op": "replace", "path": "/properties/total", "value": 12.50}]


@pytest.fixture
def client(stack: StackAddresses, database_url: str) -> Iterator[httpx.Client]:
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    with calling(api(database_url, stack.kafka)) as found:
        yield found


@pytest.fixture
async def _filled(connection: AsyncConnection) -> None:
    await feed(connection, [raw(order(total="a lot") | {"messageId": f"m-{n}"}, offset=n) for n in range(3)])
    await feed(connection, [raw(b"?", offset=9)])


def test_health_asks_for_no_key_and_tells_of_the_database(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "ok", "checks": [{"name": "loop", "status": "ok"}]}
    assert client.get("/readyz").json() == {"status": "ok", "checks": [{"name": "database", "status": "ok"}]}


@pytest.mark.usefixtures("_filled")
def test_the_quarantine_is_summed_up_and_listed_page_by_page(client: httpx.Client) -> None:
    causes = call(client, Role.READ, "GET", "/quarantine/summary").json()["causes"]
    assert [(cause["events"], cause["reason"]) for cause in causes] == [(3, "not_a_number"), (1, "not_json")]
    seen: list[int] = []
    asked: dict[str, Any] = {"limit": 3}
    while True:
        page = call(client, Role.READ, "GET", "/quarantine", params=asked).json()
        seen += [entry["id"] for entry in page["entries"]]
        if page["next"] is None:
            break
        asked["cursor"] = page["next"]
    assert len(seen) == 4
    assert seen == sorted(seen, reverse=True)
    of_one = call(client, Role.READ, "GET", "/quarantine", params={"group": causes[0]["group"]}).json()
    assert len(of_one["entries"]) == 3
    assert "original" not in of_one["entries"][0]


@pytest.mark.usefixtures("_filled")
def test_who_sees_what_an_event_says_is_written_down(client: httpx.Client, operating: Connection) -> None:
    number = call(client, Role.READ, "GET", "/quarantine").json()["entries"][-1]["id"]
    shown = call(client, Role.PRIVACY, "GET", f"/quarantine/{number}").json()
    assert json.loads(shown["original"])["properties"] == {"total": "a lot"}
    assert operating.execute("SELECT actor, action, entries FROM audit").fetchall() == [
        ("privacy", "quarantine.read", [number])
    ]


@pytest.mark.usefixtures("_filled")
def test_a_group_is_fixed_and_replayed(client: httpx.Client, operating: Connection) -> None:
    group = call(client, Role.READ, "GET", "/quarantine/summary").json()["causes"][0]["group"]
    there = f"/quarantine/groups/{group}/fix"
    dry = call(client, Role.OPERATE, "POST", there, params={"dry_run": True}, json=TOTAL).json()
    assert (dry["dry_run"], dry["events"], dry["accepted"], dry["failing"]) == (True, 3, 3, 0)
    assert json.loads(dry["examples"][0]["before"])["properties"] == {"total": "a lot"}
    assert operating.execute("SELECT count(*) FROM quarantine WHERE mended IS NOT NULL").fetchone() == (0,)
    fixed = call(
        client, Role.OPERATE, "POST", there, content=b'[{"op":"replace","path":"/properties/total","value":12.50}]'
    )
    assert fixed.json()["accepted"] == 3
    ((mended,),) = operating.execute("SELECT mended FROM quarantine WHERE mended IS NOT NULL LIMIT 1").fetchall()
    assert b'"total":12.50' in mended, "numbers of a patch keep their digits"
    begun = call(client, Role.OPERATE, "POST", "/quarantine/replays", json={"group": group})
    assert begun.status_code == 202
    there = begun.headers["location"]
    done = eventually(lambda: (p := call(client, Role.READ, "GET", there).json())["state"] == "done" and p)
    assert (done["total"], done["sent"], done["waiting"], done["still_bad"]) == (3, 3, 3, 0)
    actors = operating.execute("SELECT actor, action FROM audit ORDER BY id").fetchall()
    assert actors == [
        *[("operate", "quarantine.read"), ("operate", "quarantine.fix"), ("operate", "quarantine.read")],
        ("operate", "quarantine.replay"),
    ]


def test_one_replay_at_a_time(client: httpx.Client, operating: Connection) -> None:
    job = sending.begin(operating, READER, Everything(), "somebody", 4)
    assert isinstance(job, sending.Job)
    refused = call(client, Role.OPERATE, "POST", "/quarantine/replays", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "already_running")
    not_here = call(client, Role.OPERATE, "POST", f"/quarantine/replays/{job.id}/stop")
    assert (not_here.status_code, not_here.json()["code"]) == (409, "not_here")
    sending.abandon(job)
    assert call(client, Role.OPERATE, "POST", "/quarantine/replays", json={}).status_code == 202


def test_without_kafka_a_replay_is_refused_and_not_begun(database_url: str, operating: Connection) -> None:
    with calling(api(database_url, "127.0.0.1:1")) as client:
        refused = call(client, Role.OPERATE, "POST", "/quarantine/replays", json={})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert operating.execute("SELECT count(*) FROM replays").fetchone() == (0,)


@pytest.mark.usefixtures("_filled")
def test_events_are_discarded_by_group_or_number(client: httpx.Client, operating: Connection) -> None:
    listed = call(client, Role.READ, "GET", "/quarantine").json()["entries"]
    by_number = {"ids": [listed[0]["id"]], "reason": "no JSON"}
    assert call(client, Role.OPERATE, "POST", "/quarantine/discard", json=by_number).json() == {"discarded": 1}
    by_group = {"group": listed[-1]["group"], "reason": "test"}
    assert call(client, Role.OPERATE, "POST", "/quarantine/discard", json=by_group).json() == {"discarded": 3}
    assert call(client, Role.OPERATE, "POST", "/quarantine/discard", json=by_group).status_code == 404
    assert call(client, Role.READ, "GET", "/quarantine/summary").json() == {"causes": []}
    assert operating.execute("SELECT count(*) FROM quarantine").fetchone() == (4,)


def test_a_source_is_added_rotated_paused_resumed_and_its_key_revoked(
    client: httpx.Client, operating: Connection
) -> None:
    added = call(client, Role.ADMIN, "POST", "/sources", json={"name": "web-shop", "region": "DE"})
    assert added.status_code == 201
    assert added.json()["key"].startswith(f"rk_{added.json()['key_id']}_")
    assert call(client, Role.ADMIN, "POST", "/sources", json={"name": "web-shop"}).status_code == 409
    name, first = {"name": "web-shop"}, added.json()["key_id"]
    rotated = call(client, Role.ADMIN, "POST", "/sources/rotate", json={**name, "grace_seconds": 60}).json()
    assert rotated["ending"] == [first]
    assert call(client, Role.ADMIN, "POST", "/sources/rotate", json=name).json()["code"] == "too_many_keys"
    assert call(client, Role.OPERATE, "POST", "/sources/pause", json=name).json()["was_paused_at"] is None
    assert call(client, Role.READ, "GET", "/sources").json()["sources"][0]["paused_reason"] == "operator"
    assert call(client, Role.OPERATE, "POST", "/sources/resume", json=name).json()["held"] == 0
    revoked = call(client, Role.ADMIN, "POST", "/sources/revoke", json={"key_id": first}).json()
    assert revoked["active_keys"] == [rotated["key_id"]]
    shown = call(client, Role.READ, "GET", "/sources/one", params=name).json()
    assert sorted(key["id"] for key in shown["keys"] if key["active"]) == [rotated["key_id"]]
    actions = operating.execute("SELECT actor, action, subject FROM audit ORDER BY id").fetchall()
    assert actions == [
        ("admin", "source.add", "web-shop"),
        ("admin", "source.rotate", "web-shop"),
        ("operate", "source.pause", "web-shop"),
        ("operate", "source.resume", "web-shop"),
        ("admin", "source.revoke", first),
    ]
