"""Fix and replay from the command line, with the real Kafka and a worker that runs: as if nothing had been wrong."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from services.ingest.cli import app
from services.ingest.quarantine import sending
from services.ingest.quarantine.selecting import Named
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS, RAW_EVENTS_DLQ
from shared.local.stack import StackAddresses
from shared.runtime.producing import Producing
from shared.runtime.schema_revision import history_of
from shared.runtime.topic_admin import create_topics
from tests.databases import fresh_database
from tests.integration.services.ingest.operating import operator
from tests.integration.services.ingest.places import entries, expected, of, written
from tests.integration.services.ingest.wire.running import ROOT
from tests.integration.services.ingest.worker import LANES, READER, Ingest, eventually, running
from tests.unit.services.ingest.records import order, track
from tests.unit.services.ingest.test_replaying import CASES, Case

MANY = 6_000
TOTAL = [{"op": "replace", "path": "/properties/total", "value": 12.5}]


@pytest.fixture(scope="module")
def database(stack: StackAddresses) -> Iterator[str]:
    """Give a fresh database, for the whole module."""
    with fresh_database(stack, history_of("ingest")) as address:
        yield address


@pytest.fixture(scope="module")
def ingest(stack: StackAddresses, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """Run a worker."""
    create_topics(stack.kafka, [RAW_EVENTS, INTERACTIONS, RAW_EVENTS_DLQ], LANES)
    variables = {"CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka, "CRM_DATABASE_URL": database}
    with running(variables, tmp_path_factory.mktemp("ingest") / "ingest.log") as worker:
        yield worker


@pytest.fixture
def operating(ingest: Ingest) -> Iterator[Connection]:
    with operator(ingest.settings.database_url.get_secret_value()) as connection:
        yield connection


@pytest.fixture
def source() -> str:
    return f"replay-{secrets.token_hex(4)}"


def rapport(ingest: Ingest, *arguments: str, stdin: str | None = None) -> tuple[int, Any]:
    """Give a command as an operator does; returns its exit code and its document, or what it said."""
    run = CliRunner().invoke(
        app, ["quarantine", *arguments, "--json"], catch_exceptions=False, env=dict(ingest.variables), input=stdin
    )
    return run.exit_code, json.loads(run.stdout) if run.stdout else run.stderr


REAL = [case for case in CASES if case.name != "a source that is no text"]


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.name)
def test_what_was_fixed_and_replayed_was_never_broken(
    ingest: Ingest, operating: Connection, source: str, case: Case
) -> None:
    broken, good, headers, good_headers = of(source, case)
    ingest.send((written(broken), headers))
    ((number, _, group, _),) = eventually(lambda: entries(operating, source))
    assert rapport(ingest, "fix", "--group", group, "--patch", "-", "--dry-run", stdin=json.dumps(case.patch))[0] == 0
    code, report = rapport(ingest, "fix", "--group", group, "--patch", "-", stdin=json.dumps(case.patch))
    assert (code, report["accepted"], report["failing"]) == (0, 1, 0)
    code, replayed = rapport(ingest, "replay", "--group", group)
    assert (code, replayed["accepted"], replayed["waiting"]) == (0, 1, 0)
    assert entries(operating, source) == [(number, "replayed", group, entries(operating, source)[0][3])]
    _, causes = rapport(ingest, "summary")
    assert not [cause for cause in causes if cause["source"] == source]
    found = {(record.value, dict(record.headers)["ce_id"]) for record in ingest.interactions(source)}
    assert found == set(expected(operating, number, good, good_headers))


def broken_orders(ingest: Ingest, operating: Connection, source: str, count: int) -> str:
    """Send orders with a wrong total, and return their cause once ingest has refused all of them."""
    ingest.send(
        *((written(order(total="x") | {"messageId": f"m-{n}"}), [("source", source.encode())]) for n in range(count))
    )
    eventually(lambda: len(entries(operating, source)) == count)
    return str(entries(operating, source)[0][2])


def fixed_orders(ingest: Ingest, operating: Connection, source: str, count: int) -> str:
    group = broken_orders(ingest, operating, source, count)
    assert rapport(ingest, "fix", "--group", group, "--patch", "-", stdin=json.dumps(TOTAL))[0] == 0
    return group


def message_ids(ingest: Ingest, source: str) -> list[str]:
    return [json.loads(record.value or b"")["message_id"] for record in ingest.interactions(source)]


def test_a_replay_that_is_killed_goes_on_and_nothing_is_lost(
    ingest: Ingest, operating: Connection, source: str, tmp_path: Path
) -> None:
    group = fixed_orders(ingest, operating, source, MANY)
    command = [sys.executable, "-m", "shared.cli", "ingest", "quarantine", "replay", "--group", group, "--no-wait"]
    with (tmp_path / "replay.log").open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=said,
            stderr=said,
            env={"PATH": os.environ["PATH"], **ingest.variables},
        )
    sent = "SELECT sent FROM replays WHERE cause = %s AND sent > 0"
    eventually(lambda: operating.execute(sent, (group,)).fetchone())
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    ((first_sent, state),) = operating.execute("SELECT sent, state FROM replays WHERE cause = %s", (group,)).fetchall()
    assert 0 < first_sent < MANY
    assert state == "running"
    code, replayed = rapport(ingest, "replay", "--group", group)
    assert code == 0
    assert replayed["total"] <= MANY - first_sent
    eventually(lambda: {state for _, state, *_ in entries(operating, source)} == {"replayed"})
    assert set(message_ids(ingest, source)) == {f"m-{n}" for n in range(MANY)}


def test_an_event_that_is_replayed_twice_is_one_event(ingest: Ingest, operating: Connection, source: str) -> None:
    headers = [("source", source.encode())]
    ingest.send((written({"type": "track", "event": "Mug Broken"}), headers))
    ((number, _, group, _),) = eventually(lambda: entries(operating, source))
    patch = json.dumps([{"op": "add", "path": "/userId", "value": "u-1"}])
    assert rapport(ingest, "fix", "--group", group, "--patch", "-", stdin=patch)[0] == 0
    copies = _twice(ingest, operating, number)
    assert len(copies) == 2
    eventually(lambda: len(ingest.interactions(source)) == 2)
    one, other = ingest.interactions(source)
    assert (one.value, dict(one.headers)["ce_id"]) == (other.value, dict(other.headers)["ce_id"])
    assert [state for _, state, *_ in entries(operating, source)] == ["replayed"]


def _twice(ingest: Ingest, connection: Connection, number: int) -> Sequence[Any]:
    """Replay an entry as a replay does whose first acknowledgement was lost."""
    sent: list[Any] = []

    class Twice:
        def __init__(self, producing: Producing) -> None:
            self._producing = producing

        async def produce(self, messages: Sequence[Any]) -> None:
            for _ in range(2):
                await self._producing.produce(messages)
                sent.extend(messages)

    asyncio.run(_replay(ingest, connection, number, Twice))
    return sent


async def _replay(
    ingest: Ingest, connection: Connection, number: int, through: Callable[[Producing], sending.Sender]
) -> None:
    """Replay an entry in this process, by what a test makes of its producer."""
    producing = Producing(ingest.settings)
    await producing.start()
    try:
        job = sending.begin(connection, READER, Named((number,)), "olga", LANES)
        assert isinstance(job, sending.Job)
        await sending.run(job, through(producing))
    finally:
        await producing.stop()


def test_what_ingest_refuses_again_is_open_again_under_its_new_cause(
    ingest: Ingest, operating: Connection, source: str
) -> None:
    operating.execute("INSERT INTO sources (name, kind, strictness) VALUES (%s, 'web', 'open')", (source,))
    group = fixed_orders(ingest, operating, source, 1)
    ((number, *_),) = entries(operating, source)
    operating.execute("UPDATE sources SET paused_at = now(), paused_reason = 'operator' WHERE name = %s", (source,))
    # Wait until the worker knows: it holds whatever comes from a paused source.
    ingest.send((written(track()), [("source", source.encode())]))
    eventually(lambda: _held(ingest, operating, source))
    # A process that has not heard yet that the source is paused sends it all the same.
    with operator(ingest.settings.database_url.get_secret_value()) as unaware:
        asyncio.run(_replay(ingest, unaware, number, lambda producing: producing))
    eventually(lambda: (number, "open", "source_paused") in [(n, s, r) for n, s, _, r in entries(operating, source)])
    held = [row for row in entries(operating, source) if row[3] == "source_paused"]
    assert len({row[2] for row in held}) <= 2
    assert group not in {row[2] for row in held}
    operating.execute("UPDATE sources SET paused_at = NULL, paused_reason = NULL WHERE name = %s", (source,))
    eventually(lambda: _all_through(ingest, operating, source))


def _held(ingest: Ingest, connection: Connection, source: str) -> bool:
    if any(reason == "source_paused" for *_, reason in entries(connection, source)):
        return True
    ingest.send((written(track()), [("source", source.encode())]))
    return False


def _all_through(ingest: Ingest, connection: Connection, source: str) -> bool:
    numbers = [
        argument
        for number, state, *_ in entries(connection, source)
        if state != "replayed"
        for argument in ("--id", str(number))
    ]
    return not numbers or rapport(ingest, "replay", *numbers)[0] == 0


def test_what_is_discarded_is_neither_shown_nor_sent(ingest: Ingest, operating: Connection, source: str) -> None:
    group = broken_orders(ingest, operating, source, 3)
    code, said = rapport(ingest, "discard", "--group", group, "--reason", "load test")
    assert (code, said) == (0, {"discarded": 3})
    assert rapport(ingest, "replay", "--group", group)[1]["total"] == 0
    assert not [cause for cause in rapport(ingest, "summary")[1] if cause["source"] == source]
    assert message_ids(ingest, source) == []


def test_without_kafka_a_replay_says_so_and_sends_nothing(ingest: Ingest, operating: Connection, source: str) -> None:
    group = fixed_orders(ingest, operating, source, 1)
    run = CliRunner().invoke(
        app,
        ["quarantine", "replay", "--group", group],
        env={**ingest.variables, "CRM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
    )
    assert run.exit_code == 1
    assert "Kafka cannot be used" in run.stderr
    assert "Traceback" not in run.stderr
    assert [state for _, state, *_ in entries(operating, source)] == ["fixed"]
    assert rapport(ingest, "replay", "--group", group)[0] == 0
