"""The page on the admin API is true: its commands, given one after the other, do what it says."""

import asyncio
import json
import os
import re
import subprocess
from typing import Any

from psycopg import AsyncConnection

from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.api_keys import ApiKeys, Role
from shared.runtime.topic_admin import create_topics
from tests.architecture.repository import ROOT
from tests.integration.services.ingest.admin import KEYS, api, calling
from tests.integration.services.ingest.feeding import feed
from tests.unit.services.ingest.records import order, raw

PAGE = ROOT / "docs" / "how-to" / "use-the-admin-api.md"
SHELL = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
ROLES = re.compile(r"^\| (?P<role>[a-z]+) \| (?!may)", re.MULTILINE)


def shell(block: str, **variables: str) -> list[Any]:
    """Run a block and return the documents that it prints."""
    run = subprocess.run(
        ["sh", "-eu", "-c", block],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    decoder, text, found = json.JSONDecoder(), run.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


async def fill(address: str) -> None:
    async with await AsyncConnection.connect(address, options="-c search_path=ingest") as connection:
        await feed(connection, [raw(order(total="a lot") | {"messageId": f"m-{n}"}, offset=n) for n in range(2)])


def test_the_page_s_commands_do_what_it_says(stack: StackAddresses, database_url: str) -> None:
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    asyncio.run(fill(database_url))
    summing, fixing, replaying, key = SHELL.findall(PAGE.read_text("utf-8"))
    with calling(api(database_url, stack.kafka)) as client:
        given = {"ADMIN": str(client.base_url).rstrip("/"), "ADMIN_KEY": KEYS[Role.ADMIN]}
        ((summary,),) = [shell(summing, **given)]
        (cause,) = summary["causes"]
        dry, kept = shell(fixing, **given, GROUP=cause["group"])
        assert [(one["dry_run"], one["accepted"], one["failing"]) for one in (dry, kept)] == [
            (True, 2, 0),
            (False, 2, 0),
        ]
        begun, progress = shell(replaying, **given)
        assert (begun["id"], progress["id"], begun["total"]) == (1, 1, 2)
    (made,) = shell(key)
    assert ApiKeys.read(json.dumps(made)).caller("") is None


def test_the_page_s_table_names_every_role() -> None:
    assert ROLES.findall(PAGE.read_text("utf-8")) == list(Role)
