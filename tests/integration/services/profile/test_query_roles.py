"""Who may read customers, and what the query API answers to what it was not asked rightly."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.profile.query.openapi import description
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import Role
from shared.runtime.schema_revision import history_of
from tests.databases import fresh_database
from tests.integration.services.profile.query import KEYS, api, by, calling

READS = {Role.READ, Role.OPERATE, Role.ADMIN}
OPERATES = {Role.OPERATE, Role.ADMIN}
ALLOWED = {
    ("GET", "/customers"): READS,
    ("GET", "/customers/{who}"): READS,
    ("GET", "/customers/{who}/timeline"): READS,
    ("GET", "/customers/{who}/history/{trait}"): READS,
    ("GET", "/accounts/{account}"): READS,
    ("GET", "/customers/{who}/explain"): READS,
    ("GET", "/decisions"): READS,
    ("GET", "/decisions/{decision}"): READS,
    **{("POST", f"/customers/{{who}}/{kind}"): OPERATES for kind in ("merge", "unmerge", "split", "block", "unblock")},
}
"""Every route with the roles that may: one that is added without being named here fails."""
SOMEBODY = {"who": "user_id:u-1", "trait": "city", "account": "acme", "decision": "0" * 32}


@pytest.fixture(scope="module")
def client(stack: StackAddresses) -> Iterator[httpx.Client]:
    """Serve an API whose tables stay empty."""
    with fresh_database(stack, history_of("profile")) as address, calling(api(address)) as found:
        yield found


def routes() -> list[tuple[str, str]]:
    paths: dict[str, Any] = json.loads(description())["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_has_its_row_in_the_table_of_roles() -> None:
    assert sorted(routes()) == sorted(ALLOWED)


@pytest.mark.parametrize("role", Role)
def test_every_route_lets_in_whom_it_should_and_nobody_else(client: httpx.Client, role: Role) -> None:
    for (method, path), roles in ALLOWED.items():
        status = client.request(method, path.format(**SOMEBODY), headers=by(role)).status_code
        assert (status == 403) is (role not in roles), (method, path, status)
        assert status not in (401, 500), (method, path, status)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer nobody's"}, {"Authorization": f"Basic {KEYS[Role.ADMIN]}"}],
)
def test_without_a_key_that_is_known_nothing_is_told(client: httpx.Client, headers: dict[str, str]) -> None:
    for method, path in ALLOWED:
        answer = client.request(method, path.format(**SOMEBODY), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), (method, path)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/customers/user_id:nobody", 404, "No customer was seen with that."),
        ("/customers/" + "0" * 32, 404, "No customer was seen with that."),
        ("/customers/user_id:%00", 404, "No customer was seen with that."),
        ("/customers/nobody", 422, "32 hexadecimal digits, or KIND:VALUE"),
        ("/customers/user_id:u-1/timeline?cursor=x", 422, "expected a cursor as the page before gave it"),
        ("/customers/user_id:u-1/timeline?cursor=AAAA", 422, "expected a cursor"),
        ("/customers/user_id:u-1/timeline?family=nothing", 422, "family"),
        ("/customers/user_id:u-1/timeline?limit=0", 422, "limit"),
        ("/customers/user_id:u-1/timeline?limit=1001", 422, "limit"),
        ("/customers/user_id:u-1/timeline", 404, "No customer"),
        ("/customers/user_id:u-1/history/city", 404, "No customer"),
        ("/customers", 422, "either search or identity"),
        ("/customers?search=a&identity=b", 422, "either search or identity"),
        ("/customers?search=", 422, "something that can be written"),
        ("/customers?search=%00", 422, "something that can be written"),
        ("/customers?search=a&cursor=b", 422, "expected a cursor"),
        ("/customers?identity=u-1", 422, "KIND:VALUE"),
        ("/accounts/%00", 404, "no such account"),
        ("/accounts/acme?cursor=x", 422, "expected a cursor"),
        ("/nothing", 404, ""),
    ],
)
def test_a_wrong_request_is_answered_in_words(client: httpx.Client, path: str, status: int, words: str) -> None:
    answer = client.get(path, headers=by(Role.READ))
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "message"}
    assert words in answer.json()["message"]


def test_whom_somebody_asked_for_stands_in_no_refusal(client: httpx.Client) -> None:
    for path in (
        "/customers/email:eva@example.com",
        "/customers/eva@example.com",
        "/customers?identity=eva@example.com",
    ):
        assert "eva@" not in client.get(path, headers=by(Role.READ)).text
