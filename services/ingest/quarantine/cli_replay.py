"""The command that replays: send, wait for ingest, and say what became of it; it may be stopped at any time."""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

import msgspec
import typer
from aiokafka.errors import KafkaError
from psycopg import Connection

from services.ingest.quarantine import replays, sending, showing
from services.ingest.quarantine.judging import judging_reader
from services.ingest.quarantine.replays import Progress
from services.ingest.quarantine.selecting import Scope
from services.ingest.quarantine.waiting import Stalled, wait_until_settled
from shared.runtime.console import emit, fail, settings_or_fail, writable_database
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings, WrongSettingsError, settings_for

INTERRUPTED = 130
_GO_ON = "Give the same command again to go on: nothing counts twice."


def replay(scope: Scope, actor: str, *, again: bool, patience: float | None, as_json: bool) -> None:
    """Replay, and wait until ingest has read it all, or nothing has moved for `patience` seconds; without one leave."""
    settings = _settings()
    with writable_database("ingest") as connection:
        connection.autocommit = True
        job = sending.begin(connection, judging_reader(connection), scope, actor, settings.lanes, again=again)
        if isinstance(job, sending.AlreadyRunning):
            fail("Somebody else replays just now, here or by the admin API: wait for it to end.", 1)
        try:
            with showing.bar("Sending", as_json=as_json) as bar:
                asyncio.run(_send(job, settings, lambda done: bar(done, job.total)))
            if patience is not None:
                with showing.bar("Ingest reads", as_json=as_json) as bar:
                    waited = wait_until_settled(
                        lambda: _look(connection, job.id), patience, lambda far: bar(far.sent - far.waiting, far.sent)
                    )
                if isinstance(waited, Stalled):
                    _stalled(waited.progress, patience)
        except KeyboardInterrupt:
            fail(f"Stopped: {_line(_look(connection, job.id))} {_GO_ON}", INTERRUPTED)
        except (KafkaError, OSError) as error:
            text = " ".join(str(error).split())
            fail(f"Kafka cannot be used: {text}\n{_line(_look(connection, job.id))} {_GO_ON}", 1)
        found = _look(connection, job.id)
    if as_json:
        emit(msgspec.to_builtins(found))
    else:
        typer.echo(_line(found))
    if found.still_bad or found.refused:
        raise typer.Exit(1)


async def _send(job: sending.Job, settings: RuntimeSettings, notify: Callable[[int], None]) -> None:
    producing = Producing(settings)
    try:
        try:
            await producing.start()
        except BaseException:
            sending.abandon(job)
            raise
        await sending.run(job, producing, notify=notify)
    finally:
        await producing.stop()


def _look(connection: Connection, replay_id: int) -> Progress:
    found = replays.progress(connection, replay_id)
    if found is None:
        raise RuntimeError(f"replay {replay_id} is gone")
    return found


def _line(found: Progress) -> str:
    said = f"{found.sent} of {found.total} events were sent, {found.accepted} are accepted"
    if found.waiting:
        said += f", {found.waiting} not yet read"
    if found.refused:
        said += f", {found.refused} were refused again"
    if found.still_bad:
        said += f"; {found.still_bad} would be refused as they are and were left"
    return said + "."


def _stalled(found: Progress, patience: float) -> NoReturn:
    fail(
        f"{_line(found)}\nIngest has read nothing of it for {patience:g} s: does it run? `rapport status` tells. "
        "What was sent is in Kafka and will be read.",
        1,
    )


def _settings() -> RuntimeSettings:
    settings_or_fail("ingest")
    # Its errors are told in words here; the library would write them a second time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return settings_for("ingest", RuntimeSettings)
    except WrongSettingsError as wrong:
        fail(str(wrong))
