"""Who may do what at the admin API, and what it answers to what it was not asked rightly."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.ingest.admin.openapi import description
from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import Role
from shared.runtime.schema_revision import history_of
from shared.runtime.topic_admin import create_topics
from tests.databases import fresh_database
from tests.integration.services.ingest.admin import KEYS, api, by, call, calling

READS = {Role.READ, Role.OPERATE, Role.ADMIN}
OPERATES = {Role.OPERATE, Role.ADMIN}
ALLOWED = {
    ("GET", "/quarantine/summary"): READS,
    ("GET", "/quarantine"): READS,
    ("GET", "/quarantine/{entry}"): OPERATES | {Role.PRIVACY},
    ("POST", "/quarantine/groups/{group}/fix"): OPERATES,
    ("POST", "/quarantine/replays"): OPERATES,
    ("GET", "/quarantine/replays/{replay}"): READS,
    ("POST", "/quarantine/replays/{replay}/stop"): OPERATES,
    ("POST", "/quarantine/discard"): OPERATES,
    ("GET", "/sources"): READS,
    ("GET", "/sources/one"): READS,
    ("POST", "/sources"): {Role.ADMIN},
    ("POST", "/sources/rotate"): {Role.ADMIN},
    ("POST", "/sources/revoke"): {Role.ADMIN},
    ("POST", "/sources/pause"): OPERATES,
    ("POST", "/sources/resume"): OPERATES,
}
"""Every route with the roles that may: one that is added without being named here fails."""


@pytest.fixture(scope="module")
def client(stack: StackAddresses) -> Iterator[httpx.Client]:
    """Serve an API whose tables stay empty."""
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    with fresh_database(stack, history_of("ingest")) as address, calling(api(address, stack.kafka)) as found:
        yield found


def routes() -> list[tuple[str, str]]:
    paths: dict[str, Any] = json.loads(description())["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_has_its_row_in_the_table_of_roles() -> None:
    assert sorted(routes()) == sorted(ALLOWED)


@pytest.mark.parametrize("role", Role)
def test_every_route_lets_in_whom_it_should_and_nobody_else(client: httpx.Client, role: Role) -> None:
    for (method, path), roles in ALLOWED.items():
        there = path.format(entry=7, group="0" * 12, replay=7)
        status = client.request(method, there, headers=by(role)).status_code
        assert (status == 403) is (role not in roles), (method, path, status)
        assert status not in (401, 500), (method, path, status)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nobody's"},
        {"Authorization": f"Basic {KEYS[Role.ADMIN]}"},
        {"Authorization": KEYS[Role.ADMIN]},
    ],
)
def test_without_a_key_that_is_known_nothing_is_told(client: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in ALLOWED:
        there = path.format(entry=7, group="0" * 12, replay=7)
        answer = client.request(method, there, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/quarantine/groups/000000000000/fix", b"[" * 100_000, 422),
        ("POST", "/quarantine/groups/000000000000/fix", b'[{"op":"burn","path":"/a"}]', 422),
        ("POST", "/quarantine/groups/000000000000/fix", b"[]", 404),
        ("POST", "/quarantine/groups/XXXXXXXXXXXX/fix", b"[]", 422),
        ("POST", "/quarantine/replays", b"[" * 100_000, 400),
        ("POST", "/quarantine/replays", b"{", 422),
        ("POST", "/quarantine/replays", b'{"group": "000000000000", "ids": [1]}', 422),
        ("POST", "/quarantine/replays", b'{"ids": [99999999999999999999]}', 422),
        ("POST", "/quarantine/discard", b'{"reason": "x"}', 422),
        ("POST", "/quarantine/discard", b'{"ids": [1], "reason": "\\ud800"}', 422),
        ("POST", "/quarantine/discard", b'{"ids": [1], "reason": "a\\u0000"}', 422),
        ("POST", "/sources", b'{"name": "a\\u0000"}', 422),
        ("POST", "/sources", b'{"name": "shop", "burst": 3}', 422),
        ("POST", "/sources", b'{"name": "shop", "zone": "Mars/Base"}', 422),
        ("POST", "/sources/pause", b'{"name": "a\\ud800"}', 422),
        ("POST", "/sources/pause", b'{"name": "nobody"}', 404),
        ("POST", "/quarantine/discard", b" " * 1_048_577, 413),
        ("GET", "/quarantine?cursor=0", b"", 422),
        ("GET", "/quarantine/0", b"", 422),
        ("GET", "/quarantine/7", b"", 404),
        ("GET", "/sources/one?name=%00", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("DELETE", "/quarantine/7", b"", 405),
    ],
)
def test_a_wrong_request_is_answered_in_words(
    client: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    headers = {**by(Role.ADMIN), "Content-Type": "application/json"}
    answer = client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["message"]


def test_a_body_without_a_length_is_bounded_too(client: httpx.Client) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = call(client, Role.ADMIN, "POST", "/quarantine/groups/000000000000/fix", content=parts())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
