"""The page on fixing and replaying is true: its commands, given one after the other, empty the quarantine."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.demo.gateway import new_entrance
from shared.demo.malformed import MALFORMED
from shared.demo.sending import send_malformed
from shared.demo.story import SOURCE
from shared.local.platform import DEFAULT_LANES
from shared.runtime.producing import Producing
from tests.architecture.repository import ROOT
from tests.e2e.rapport import Rapport, running, until

pytestmark = pytest.mark.timeout(600)

PAGE = ROOT / "docs" / "how-to" / "fix-and-replay.md"
MIXED = ROOT / "tests" / "bad" / "mixed-batch.json"
SHELL = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| `(?P<group>[0-9a-f]{12})` \|", re.MULTILINE)
REPLAY = "rapport ingest quarantine replay"
QUARANTINED = "SELECT 1 FROM ingest.quarantine HAVING count(*) = %s"
ORDERS = """
    SELECT i.value, sum(f.orders)::int, sum(f.revenue)::text
    FROM metrics.order_facts AS f JOIN profile.identities AS i ON i.id = f.identity_id GROUP BY i.value ORDER BY i.value
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One block of the page: what it printed, and after some what is in the quarantine, by cause."""

    commands: str
    printed: str
    causes: list[dict[str, Any]] | None


@pytest.fixture(scope="module")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    """Start what a kept demo leaves running, with the demo's broken records in it and without its orders."""
    with running(tmp_path_factory.mktemp("kept")) as started:
        asyncio.run(break_something(started))
        yield started


@pytest.fixture(scope="module")
def steps(rapport: Rapport, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """Do what the page says, block after block; each must end well."""
    entrance = new_entrance(rapport.platform, SOURCE)
    binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {
        "PATH": binaries,
        "GATEWAY": entrance.address,
        "KEY": entrance.key,
        "TMPDIR": str(tmp_path_factory.mktemp("patches")),
    }
    asyncio.run(until("the gateway knows the key", lambda: knows(entrance.address, entrance.key)))
    done: list[Step] = []
    for block in SHELL.findall(PAGE.read_text("utf-8")):
        printed = shell(block, rapport.environment | given)
        if not done:
            asyncio.run(quarantined(rapport, len(MALFORMED) + json.loads(printed)["quarantined"]))
        shown = not done or block.startswith(REPLAY)
        done.append(Step(block, printed, rapport.ask("ingest", "quarantine", "summary") if shown else None))
    return done


async def break_something(rapport: Rapport) -> None:
    producing = Producing(rapport.settings)
    await producing.start()
    try:
        await send_malformed(producing, DEFAULT_LANES)
    finally:
        await producing.stop()
    await quarantined(rapport, len(MALFORMED))


async def quarantined(rapport: Rapport, events: int) -> None:
    await until(f"{events} bad events", lambda: rapport.rows(QUARANTINED, events))


def knows(address: str, key: str) -> bool:
    command = ["curl", "-sS", "-u", f"{key}:", f"{address}/v1/batch", "-d", '{"batch": []}']
    return b"true" in subprocess.run(command, capture_output=True, timeout=30, check=True).stdout


def shell(commands: str, variables: dict[str, str]) -> str:
    run = subprocess.run(
        ["/bin/sh", "-e", "-c", commands],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, f"{commands}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def test_the_answer_says_accepted_and_quarantined_and_the_page_says_the_same(steps: list[Step]) -> None:
    answer = json.loads(steps[0].printed)
    assert f"```json\n{json.dumps(answer, separators=(',', ':'))}\n```" in PAGE.read_text("utf-8")
    assert answer["accepted"] + answer["quarantined"] == len(json.loads(MIXED.read_bytes())["batch"])


def test_the_summary_has_every_bad_event_under_its_cause(steps: list[Step]) -> None:
    found = steps[0].causes or []
    causes = {cause["group"]: cause for cause in found if cause["source"] == SOURCE}
    assert set(causes) == set(ROW.findall(PAGE.read_text("utf-8")))
    assert sorted((cause["reason"], cause["path"], cause["events"]) for cause in causes.values()) == [
        ("missing", "/event", 1),
        ("no_identity", "/userId", 1),
        ("no_offset", "/timestamp", 1),
        ("not_a_currency", "/properties/currency", 1),
        ("not_a_number", "/properties/total", 2),
        ("out_of_range", "/timestamp", 1),
        ("unknown_type", "/type", 1),
        ("wrong_type", "", 1),
    ]
    assert len(found) == len(causes) + len(MALFORMED)


def test_after_fix_discard_and_replay_the_summary_is_empty(steps: list[Step], rapport: Rapport) -> None:
    (replay,) = [step for step in steps if step.commands.startswith(REPLAY)]
    assert replay.causes == []
    states = dict(rapport.rows("SELECT state, count(*) FROM ingest.quarantine GROUP BY state"))
    assert states == {"replayed": 8, "discarded": 1 + len(MALFORMED)}


def test_the_mended_orders_count_with_those_that_were_never_wrong(steps: list[Step], rapport: Rapport) -> None:
    assert steps
    wanted = [("mixed-ben", 2, "19.25"), ("mixed-eva", 2, "79.4")]
    asyncio.run(until("the orders of both", lambda: rapport.rows(ORDERS) == wanted))
