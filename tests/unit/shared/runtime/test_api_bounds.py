"""How long a body is said to be is read whatever is written there: nothing in a head ends in a 500."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from shared.runtime.api import build_api
from shared.runtime.api_keys import ApiKeys
from shared.runtime.health import Report


async def _status(length: bytes) -> int:
    async def ready() -> Report:
        return Report(())

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    statuses: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "query_string": b"",
        "headers": [(b"content-length", length)],
    }
    await build_api("Tests", "An API of the tests.", ApiKeys(), ready)(scope, receive, send)
    (status,) = statuses
    return status


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"0", 200),
        (b"0" * 5000 + b"1", 200),
        (b"1048576", 200),
        (b"1048577", 413),
        (b"9" * 5000, 413),
        (b"x", 200),
    ],
)
async def test_a_length_of_any_digits_is_answered(length: bytes, status: int) -> None:
    assert await _status(length) == status
