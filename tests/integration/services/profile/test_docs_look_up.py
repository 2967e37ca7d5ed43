"""The page on looking up a customer is true: its commands, given as they stand there, find her."""

import asyncio
import json
import os
import re
import shlex
import subprocess
from typing import Any

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner

from services.profile.cli.customers import app
from shared.runtime.api_keys import Role
from tests.architecture.repository import ROOT
from tests.integration.services.profile.conftest import OPTIONS
from tests.integration.services.profile.query import KEYS, api, calling, eventually, get
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import SECRET, interaction, record

PAGE = ROOT / "docs" / "how-to" / "look-up-a-customer.md"
SHELL = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
EVA = (("user_id", "u-17"), ("email", "eva@example.com"))


async def fill(address: str) -> None:
    named: Any = ("Identify", "identify", {"traits": {"first_name": "Eva", "last_name": "Muster"}})
    order: Any = ("Order Completed", "order", {"total": {"amount": "35.50", "currency": "EUR"}})
    events = [record(interaction(f"m-{n}", said, EVA)) for n, said in enumerate((named, order))]
    async with await AsyncConnection.connect(address, options=OPTIONS) as connection:
        await commit(new_handler(), connection, events)


def test_the_page_s_commands_find_her(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(fill(database_url))
    commands, requests = SHELL.findall(PAGE.read_text("utf-8"))
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_IDENTITY_SECRET", SECRET.decode())
    monkeypatch.chdir(ROOT)
    with calling(api(database_url)) as client:
        eventually(lambda: bool(get(client, "/customers", search="muster").json()["customers"]))
        for line in commands.splitlines():
            shown = CliRunner().invoke(app, shlex.split(line)[2:])
            assert shown.exit_code == 0, (line, shown.output)
            assert any(word in shown.stdout for word in ("eva@example.com", "Eva", "35.50")), line
        given = {"PATH": os.environ["PATH"], "QUERY": str(client.base_url).rstrip("/"), "KEY": KEYS[Role.READ]}
        for line in requests.splitlines():
            asked = subprocess.run(
                ["sh", "-eu", "-c", line], env=given, capture_output=True, text=True, timeout=60, check=True
            )
            assert {"customer", "customers", "customer_id"} & json.loads(asked.stdout).keys(), line
