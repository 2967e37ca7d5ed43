"""`rapport ingest quarantine` for people: what it prints, what it refuses in words, and how it exits."""

import json
from pathlib import Path

import pytest
from psycopg import AsyncConnection, Connection
from typer.testing import CliRunner, Result

from services.ingest.cli import app
from services.ingest.quarantine.looking import summary
from shared.contracts.topics import RAW_EVENTS
from shared.local.stack import StackAddresses
from shared.runtime.topic_admin import create_topics
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.operating import TOTAL, cause, refused
from tests.unit.services.ingest.records import order, raw

NOBODY = "0" * 12


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, database_url: str, stack: StackAddresses) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", stack.kafka)


@pytest.fixture
async def _two_refused(connection: AsyncConnection) -> None:
    await refused(connection, 2)


def rapport(*arguments: str, stdin: str | None = None) -> Result:
    run = CliRunner()
    return run.invoke(app, ["quarantine", *arguments], catch_exceptions=False, env={"COLUMNS": "220"}, input=stdin)


async def test_causes_are_shown_as_a_table(connection: AsyncConnection) -> None:
    await refused(connection, 2)
    await feed(connection, [raw(b"\x1b[2J", [("source", b"[/bold]")], offset=9)])
    shown = rapport("summary")
    assert shown.exit_code == 0
    assert [word in shown.stdout for word in ("/properties/total", "not_a_number", "[/bold]")] == [True] * 3
    assert "\x1b" not in shown.stdout
    assert [one["events"] for one in json.loads(rapport("summary", "--json").stdout)] == [2, 1]


async def test_a_dry_run_and_a_fix_tell_people_what_comes_of_it(
    connection: AsyncConnection, operating: Connection, tmp_path: Path
) -> None:
    await refused(connection, 2)
    await feed(connection, [raw(order(total="x", currency=1), offset=7)])
    file, group = tmp_path / "mend.json", cause(operating)
    file.write_text(json.dumps([TOTAL]), "utf-8")
    dry = rapport("fix", "--group", group, "--patch", str(file), "--dry-run")
    assert dry.exit_code == 1, "one of them would still be refused"
    assert "2 of 3 events would be accepted." in dry.stdout
    assert [word in dry.stdout for word in ('"a lot"', "12.5", "Still refused", "/properties/currency")] == [True] * 4
    kept = rapport("fix", "--group", group, "--patch", str(file), "--examples", "0")
    assert "2 of 3 events are fixed" in kept.stdout
    assert sorted((one["fixed"], one["open"]) for one in summary(operating)) == [(0, 1), (2, 0)]


@pytest.mark.usefixtures("_two_refused")
def test_what_is_replayed_while_no_worker_runs_is_said_to_wait(operating: Connection, stack: StackAddresses) -> None:
    create_topics(stack.kafka, [RAW_EVENTS], 4)
    group = cause(operating)
    assert rapport("fix", "--group", group, "--patch", "-", stdin=json.dumps([TOTAL])).exit_code == 0
    waited = rapport("replay", "--group", group, "--wait-seconds", "1")
    assert waited.exit_code == 1
    assert "2 of 2 events were sent, 0 are accepted, 2 not yet read." in waited.stderr
    assert "Ingest has read nothing of it for 1 s" in waited.stderr
    again = rapport("replay", "--again", "--no-wait")
    assert (again.exit_code, "2 of 2 events were sent" in again.stdout) == (0, True)


@pytest.mark.usefixtures("_two_refused")
def test_what_would_be_refused_is_left_and_said() -> None:
    left = rapport("replay", "--no-wait")
    assert left.exit_code == 1
    assert "2 would be refused as they are and were left" in left.stdout


async def test_single_events_are_discarded(connection: AsyncConnection, operating: Connection) -> None:
    await refused(connection, 2)
    number = summary(operating)[0]["example"]
    done = rapport("discard", "--id", str(number), "--reason", "by mistake")
    assert (done.exit_code, done.stdout) == (0, "1 events were discarded.\n")
    assert [one["events"] for one in summary(operating)] == [1]
    shown = rapport("list", "--state", "discarded", "--json")
    assert [one["id"] for one in json.loads(shown.stdout)] == [number]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (("fix", "--group", "x", "--patch", "-"), "[]", 2, "--group: expected the 12 digits of a group"),
        (("fix", "--group", NOBODY, "--patch", "-"), "[]", 1, f"No event of group {NOBODY} is open."),
        (("fix", "--group", NOBODY, "--patch", "-"), "{", 2, "--patch: -: expected a JSON array of operations"),
        (("fix", "--group", NOBODY, "--patch", "/no/such/file"), None, 2, "cannot be read: No such file"),
        (("fix", "--group", NOBODY), None, 2, "Missing option '--patch'"),
        (("replay", "--group", NOBODY, "--id", "1"), None, 2, "Give --group or --id, not both."),
        (("replay", "--group", "burn"), None, 2, "--group: expected the 12 digits"),
        (("replay", "--id", "99999999999999999999"), None, 2, "--id: no number of an entry is as great"),
        (("discard", "--reason", "x"), None, 2, "Say which: --group GROUP or --id ID."),
        (("discard", "--id", "1", "--reason", "  "), None, 2, "--reason: expected 1 to 500 printable characters"),
        (("discard", "--id", "1", "--reason", "a\x1b"), None, 2, "--reason: expected 1 to 500 printable characters"),
        (("discard", "--id", "1", "--reason", "x"), None, 1, "None of these is open."),
        (("list", "--state", "lost"), None, 2, "lost"),
    ],
)
def test_a_wrong_command_is_answered_in_words(
    arguments: tuple[str, ...], stdin: str | None, code: int, words: str
) -> None:
    found = rapport(*arguments, stdin=stdin)
    assert found.exit_code == code
    assert words in found.stderr
    assert "Traceback" not in found.stderr


def test_nothing_to_replay_is_nothing_wrong() -> None:
    found = rapport("replay")
    assert (found.exit_code, found.stdout) == (0, "0 of 0 events were sent, 0 are accepted.\n")


@pytest.mark.parametrize("verb", ["summary", "list", "show", "fix", "replay", "discard"])
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    helped = rapport(verb, "--help")
    assert helped.exit_code == 0
    assert f"rapport ingest quarantine {verb}" in helped.stdout
