"""The query API as operators run it: ready, stopped by a signal, refusing wrong settings in words."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from shared.runtime.api_keys import hashed
from tests.integration.services.profile.query import eventually

ROOT = Path(__file__).parents[4]
KEYS = json.dumps([{"name": "olga", "role": "read", "sha256": hashed("a key of olga's")}])


@pytest.fixture
def variables(database_url: str) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return {
        "PATH": os.environ["PATH"],
        "CRM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CRM_DATABASE_URL": database_url,
        "CRM_IDENTITY_SECRET": "a secret of tests only",
        "CRM_PROFILE_API_PORT": str(port),
        "CRM_API_KEYS": KEYS,
    }


def started(variables: Mapping[str, str], log: Path, *command: str) -> "subprocess.Popen[bytes]":
    how = command or ("services.profile.query",)
    with log.open("wb") as sink:
        return subprocess.Popen([sys.executable, "-m", *how], cwd=ROOT, stdout=sink, stderr=sink, env=variables)


def status(variables: Mapping[str, str], path: str, key: str | None = None) -> int:
    url = f"http://127.0.0.1:{variables['CRM_PROFILE_API_PORT']}{path}"
    try:
        return httpx.get(url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=5).status_code
    except httpx.HTTPError:
        return 0


@pytest.mark.parametrize("command", [(), ("shared.cli", "profile", "api")])
def test_it_serves_until_a_signal_and_says_nothing_of_a_key_nor_of_whom_was_asked(
    variables: dict[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    log = tmp_path / "api.log"
    process = started(variables, log, *command)
    try:
        eventually(lambda: process.poll() is not None or status(variables, "/readyz") == 200)
        assert process.poll() is None, log.read_text("utf-8")
        assert status(variables, "/customers/email:eva@example.com", "a key of olga's") == 404
        assert status(variables, "/customers/email:eva@example.com", "another") == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(20)
    said = log.read_text("utf-8")
    assert [json.loads(line)["action"] for line in said.splitlines()] == ["api.listen", "stop.begin", "stop.end"]
    assert "olga" not in said
    assert "eva" not in said


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"CRM_IDENTITY_SECRET": ""}, 2, "CRM_IDENTITY_SECRET is not set"),
        ({"CRM_IDENTITY_SECRET": "short"}, 2, "a secret and not shown"),
        ({"CRM_PROFILE_API_PORT": "x"}, 2, "CRM_PROFILE_API_PORT: expected a whole number"),
        ({"CRM_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none"}, 1, "PostgreSQL can't be used"),
    ],
)
def test_wrong_settings_end_it_in_words(
    variables: dict[str, str], tmp_path: Path, changed: dict[str, str], code: int, words: str
) -> None:
    log = tmp_path / "api.log"
    assert started({**variables, **changed}, log).wait(60) == code
    assert words in log.read_text("utf-8")
    assert "Traceback" not in log.read_text("utf-8")
