"""Fixed and replayed equals never broken: two runs of all services, one of which was sent broken events at first."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ingest.domain.fingerprint import derived_id
from shared.contracts.topics import CUSTOMERS, RAW_EVENTS, SEGMENT_MEMBERSHIPS
from shared.demo.settling import settling
from shared.local.platform import DEFAULT_LANES
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.producing import Producing
from tests.e2e.mending_story import OPEN, STRICT, Story
from tests.e2e.rapport import Rapport, running
from tests.e2e.standing import LEFT_OUT, tables, topics

pytestmark = pytest.mark.timeout(600)

SECRET = {"CRM_IDENTITY_SECRET": "the same customers in both runs"}
NAMELESS = "SELECT message_id FROM profile.timeline WHERE message_id ~ '^.{14}5' AND name = 'Order Completed'"
PLACES = """
    SELECT topic, lane, record_offset, (extract(epoch FROM appended_at) * 1000)::bigint, event_index
    FROM ingest.quarantine WHERE message_id IS NULL
"""


@pytest.fixture(scope="module")
def story() -> Story:
    # Received an hour ago: nothing may take the time of a replay for that of the event.
    return Story(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))


@pytest.fixture(scope="module")
def never_broken(story: Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    with running(tmp_path_factory.mktemp("never-broken"), SECRET, register) as rapport:
        asyncio.run(send(rapport, story, broken=False))
        assert rapport.rows("SELECT count(*) FROM ingest.quarantine") == [(0,)]
        return tables(rapport) | asyncio.run(topics(rapport))


@pytest.fixture(scope="module")
def fixed(story: Story, never_broken: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    assert never_broken  # one run after the other: the machine may be small
    folder = tmp_path_factory.mktemp("fixed")
    with running(folder, SECRET, register) as rapport:
        asyncio.run(send(rapport, story, broken=True))
        mend(rapport, story, folder)
        rapport.ask("ingest", "quarantine", "replay")
        asyncio.run(quiet(rapport))
        yield rapport


def register(rapport: Rapport) -> None:
    rapport.ask("ingest", "sources", "add", OPEN)
    rapport.ask("ingest", "sources", "add", STRICT, "--strict")


async def send(rapport: Rapport, story: Story, *, broken: bool) -> None:
    producing = Producing(rapport.settings)
    await producing.start()
    try:
        for number, said in enumerate(story.records(broken=broken)):
            message = Message(b"", said.data, said.headers)
            await producing.produce([DirectMessage(RAW_EVENTS.name, number % DEFAULT_LANES, message)])
            # One after the other: an entry says which event was read last.
            await quiet(rapport)
    finally:
        await producing.stop()


async def quiet(rapport: Rapport) -> None:
    async with settling(rapport.settings) as settled:
        await settled.until_quiet(lambda _service, _standing: None)


def mend(rapport: Rapport, story: Story, folder: Path) -> None:
    patches = story.patches()
    causes = rapport.ask("ingest", "quarantine", "summary")
    assert {(cause["source"], cause["path"]): cause["events"] for cause in causes} == {
        (OPEN, "/properties/total"): 3,
        (OPEN, "/event"): 1,
        (OPEN, "/originalTimestamp"): 1,
        (STRICT, "/event"): 1,
    }
    for cause in causes:
        patch = folder / f"{cause['group']}.json"
        patch.write_text(json.dumps(patches[cause["source"], cause["path"]]), "utf-8")
        rapport.ask("ingest", "quarantine", "fix", "--group", cause["group"], "--patch", str(patch))


def test_everything_is_as_if_it_had_never_been_broken(never_broken: dict[str, list[str]], fixed: Rapport) -> None:
    found = tables(fixed) | asyncio.run(topics(fixed))
    assert set(found) == set(never_broken)
    for name in sorted(never_broken):
        assert found[name] == never_broken[name], name


def test_the_runs_said_something(never_broken: dict[str, list[str]], fixed: Rapport) -> None:
    filled = {name for name, rows in never_broken.items() if rows}
    assert {CUSTOMERS.name, SEGMENT_MEMBERSHIPS.name, "profile.timeline", "metrics.order_facts"} <= filled
    assert {name for name in LEFT_OUT if name not in filled} == set()
    messages = dict(fixed.rows("SELECT state, count(*) FROM engagement.messages GROUP BY state"))
    assert messages == {"accepted": 2, "skipped": 1}
    assert fixed.rows("SELECT state, count(*) FROM ingest.quarantine GROUP BY state") == [("replayed", 6)]
    assert fixed.rows("SELECT sum(duplicate), sum(conflict), sum(dead) FROM profile.positions") == [(0, 0, 0)]


def test_an_event_without_an_id_has_the_id_of_its_first_place(fixed: Rapport) -> None:
    ids = {derived_id(*place) for place in fixed.rows(PLACES) if place[-1] == 2}
    assert len(ids) == 1
    assert ids == {message_id for (message_id,) in fixed.rows(NAMELESS)}
