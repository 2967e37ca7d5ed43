"""`rapport ingest quarantine` on a real PostgreSQL: newest first, whole, and harmless to a terminal."""

import json

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.ingest.cli import app
from tests.integration.services.ingest.feeding import feed
from tests.unit.services.ingest.records import order, raw, track


def ingest(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quarantine", *arguments], catch_exceptions=False, env={"COLUMNS": "220"})


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


@pytest.fixture
async def _filled(connection: AsyncConnection) -> None:
    await feed(
        connection,
        [
            raw(order(total="a lot"), [("source", b"web-shop"), ("x", b"\xff\x1b[2J")], offset=1),
            raw(b'{"a": "\x1b[2J[/red]\xff"}', [("source", b"[/bold]")], offset=2),
            raw(track("Any", properties=[]), offset=3),
        ],
    )


@pytest.mark.usefixtures("_here", "_filled")
def test_the_newest_refusals_are_listed_first() -> None:
    listed = json.loads(ingest("list", "--json").stdout)
    assert [entry["reason"] for entry in listed] == ["wrong_type", "not_utf8", "not_a_number"]
    assert set(listed[0]) == {
        *("id", "quarantined_at", "source", "event", "stage", "reason", "path", "expected", "found", "group", "state")
    }
    assert [entry["path"] for entry in json.loads(ingest("list", "--limit", "1", "--json").stdout)] == ["/properties"]
    table = ingest("list").stdout
    assert [word in table for word in ("/properties/total", "web-shop", "[/bold]", "not_utf8")] == [True] * 4


@pytest.mark.usefixtures("_here", "_filled")
def test_refusals_of_one_reason_are_listed_alone() -> None:
    listed = json.loads(ingest("list", "--reason", "not_a_number", "--json").stdout)
    assert [(entry["source"], entry["path"]) for entry in listed] == [("web-shop", "/properties/total")]
    assert json.loads(ingest("list", "--reason", "too_deep", "--json").stdout) == []


@pytest.mark.usefixtures("_here", "_filled")
def test_an_entry_is_shown_with_its_own_bytes_and_headers() -> None:
    first = json.loads(ingest("list", "--json").stdout)[-1]["id"]
    shown = json.loads(ingest("show", str(first), "--json").stdout)
    assert json.loads(shown["original"]) == order(total="a lot")
    assert shown["headers"] == [["source", "web-shop"], ["x", "\\xff\x1b[2J"]]
    assert (shown["message_id"], shown["lane"], shown["record_offset"], shown["event_index"]) == ("m-1", 1, 1, 0)


@pytest.mark.usefixtures("_here", "_filled")
def test_what_was_sent_cannot_command_the_terminal() -> None:
    for entry in json.loads(ingest("list", "--json").stdout):
        shown = ingest("show", str(entry["id"]))
        assert shown.exit_code == 0
        assert "\x1b" not in shown.stdout
        assert "original" in shown.stdout
    second = json.loads(ingest("list", "--json").stdout)[1]["id"]
    assert "\\u001b[2J[/red]\\xff" in ingest("show", str(second)).stdout


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "7"), 1, "There is no entry 7 in the quarantine."),
        (("show", "x"), 2, "Invalid value for 'ID'"),
        (("list", "--reason", "bored"), 2, "bored"),
        (("list", "--limit", "0"), 2, "Invalid value for '--limit'"),
    ],
)
def test_a_wrong_question_is_answered_in_words(arguments: tuple[str, ...], code: int, words: str) -> None:
    found = ingest(*arguments)
    assert found.exit_code == code
    assert words in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.usefixtures("_here")
def test_an_empty_quarantine_is_an_empty_list() -> None:
    assert json.loads(ingest("list", "--json").stdout) == []
    assert ingest("list").exit_code == 0
