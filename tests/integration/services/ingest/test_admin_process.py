"""The admin API as operators run it: ready, stopped by a signal, refusing wrong settings in words."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.local.stack import StackAddresses
from shared.runtime.api_keys import hashed
from tests.integration.services.ingest.wire.running import ROOT, free_port
from tests.integration.services.ingest.worker import eventually

KEYS = json.dumps([{"name": "olga", "role": "read", "sha256": hashed("a key of olga's")}])


@pytest.fixture
def variables(stack: StackAddresses, database_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "CRM_DATABASE_URL": database_url,
        "CRM_INGEST_ADMIN_PORT": str(free_port()),
        "CRM_API_KEYS": KEYS,
    }


def admin(variables: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "services.ingest.admin"], cwd=ROOT, stdout=sink, stderr=sink, env=variables
        )


def answers(port: str, path: str, key: str | None = None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except OSError:
        return 0


def test_it_serves_until_a_signal_and_says_nothing_of_a_key(variables: dict[str, str], tmp_path: Path) -> None:
    log, port = tmp_path / "admin.log", variables["CRM_INGEST_ADMIN_PORT"]
    process = admin(variables, log)
    try:
        eventually(lambda: process.poll() is not None or answers(port, "/readyz") == 200)
        assert process.poll() is None, log.read_text("utf-8")
        assert answers(port, "/livez") == 200
        assert answers(port, "/quarantine/summary", "a key of olga's") == 200
        assert answers(port, "/quarantine/summary", "a key of olga's, nearly") == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(20)
    said = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["action"] for line in said] == ["api.listen", "stop.begin", "stop.end"]
    assert "olga" not in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"CRM_API_KEYS": "[1]"}, 2, "CRM_API_KEYS: expected name, role and sha256 in key 0"),
        ({"CRM_API_KEYS": KEYS.replace("read", "root")}, 2, "a secret and not shown"),
        ({"CRM_INGEST_ADMIN_PORT": "x"}, 2, "CRM_INGEST_ADMIN_PORT: expected a whole number"),
        ({"CRM_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none"}, 1, "PostgreSQL can't be used"),
    ],
)
def test_wrong_settings_end_it_in_words(
    variables: dict[str, str], tmp_path: Path, changed: dict[str, str], code: int, words: str
) -> None:
    log = tmp_path / "admin.log"
    assert admin({**variables, **changed}, log).wait(60) == code
    assert words in log.read_text("utf-8")
    assert "Traceback" not in log.read_text("utf-8")


def test_a_port_that_is_taken_ends_it_in_words(variables: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "admin.log"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert admin({**variables, "CRM_INGEST_ADMIN_PORT": port}, log).wait(60) == 1
    assert "set CRM_INGEST_ADMIN_PORT to a free port" in log.read_text("utf-8")
