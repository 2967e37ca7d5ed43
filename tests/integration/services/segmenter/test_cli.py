import json

import pytest
from typer.testing import CliRunner, Result

from services.segmenter.cli import app
from tests.integration.services.segmenter.records import ADA, EVA, activity
from tests.integration.services.segmenter.world import BROWSING, ORDERED, START, TWICE, World


@pytest.fixture(autouse=True)
def _settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


def rapport(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


async def test_list_shows_each_segment_with_its_size(world: World) -> None:
    world.define(BROWSING, TWICE, ORDERED)
    await world.feed(activity("Order Completed", START), activity("Order Completed", START, customer=ADA, offset=1))
    run = rapport("list", "--json")
    assert run.exit_code == 0
    assert json.loads(run.stdout) == [
        {"segment": "browsing-now", "version": 1, "members": 0, "removed": False},
        {"segment": "ordered-30d", "version": 1, "members": 2, "removed": False},
        {"segment": "two-or-more", "version": 1, "members": 0, "removed": False},
    ]
    shown = rapport("list").stdout
    assert "ordered-30d" in shown
    assert [shown.count(word) for word in ("state", "in force")] == [1, 3]


async def test_members_shows_who_is_in(world: World) -> None:
    world.define(ORDERED)
    await world.feed(activity("Order Completed", START))
    run = rapport("members", "ordered-30d", "--limit", "5", "--json")
    (member,) = json.loads(run.stdout)
    assert member == {"customer_id": EVA, "since": START.isoformat()[:-6] + "Z", "version": 1, "definition_version": 1}


async def test_explain_tells_state_reason_next_instant_and_history(world: World) -> None:
    world.define(TWICE, BROWSING)
    await world.feed(activity("Order Completed", START), activity("Order Completed", START, offset=1))
    run = rapport("explain", "two-or-more", EVA.upper(), "--json")
    assert run.exit_code == 0
    found = json.loads(run.stdout)
    assert (found["inside"], found["next_change_at"]) == (True, None)
    assert found["why"] == [{"rule": "count(Order Completed) >= 2", "value": 2}]
    assert [entry["cause"] for entry in found["history"]] == [{"kind": "event", "message_id": "m-1"}]
    shown = rapport("explain", "two-or-more", EVA)
    assert shown.exit_code == 0
    # A narrow terminal breaks lines anywhere.
    words = " ".join(shown.stdout.split())
    assert f"{EVA} is in since 2025-11-22T09:30:00" in words
    # In a cell, not in the heading, whose borders are heavy.
    assert "│ never, only by an event" in words
    assert "event m-1" in words
    assert "is out" in rapport("explain", "browsing-now", EVA).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("members", "nobody"), 1, "There is no segment 'nobody'. Segments: two-or-more."),
        (("explain", "two-or-more", "eva"), 2, "expected 32 hexadecimal digits"),
        (("explain", "two-or-more", EVA), 1, f"knows no customer {EVA}"),
    ],
)
async def test_a_wrong_question_is_answered_in_words(
    world: World, arguments: tuple[str, ...], code: int, words: str
) -> None:
    world.define(TWICE)
    run = rapport(*arguments)
    assert run.exit_code == code
    assert words in run.stderr
