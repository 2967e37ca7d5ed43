"""Ingest as a process of its own on the real Kafka, what is sent to it, and what comes of it."""

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.kafka_input import ends, new_reader, partitions, poll
from shared.runtime.producing import Producing
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings
from tests.integration.services.ingest.wire.running import ROOT, free_port

SECRET = "a secret of the replay's tests"
READER = Reader(Identities(SECRET.encode()))
LANES = 4
PLACES = [(INTERACTIONS.name, lane) for lane in range(LANES)]
PATIENCE = 90.0
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Ingest:
    """A worker that runs, and the settings by which all of its world is reached."""

    settings: RuntimeSettings
    variables: Mapping[str, str]
    log: Path

    def send(self, *records: tuple[bytes | None, Sequence[tuple[str, bytes]]]) -> None:
        """Write records to where events come in, in one lane, in order."""
        asyncio.run(self._send(records))

    def interactions(self, source: str) -> list[Record]:
        """Return everything that was accepted from one source, repetitions included."""
        found = asyncio.run(self._read())
        return [record for record in found if f'"source":"{source}"'.encode() in (record.value or b"")]

    async def _send(self, records: Sequence[tuple[bytes | None, Sequence[tuple[str, bytes]]]]) -> None:
        producing = Producing(self.settings)
        await producing.start()
        try:
            await producing.produce(
                [DirectMessage(RAW_EVENTS.name, 1, Message(b"", value, list(headers))) for value, headers in records]
            )
        finally:
            await producing.stop()

    async def _read(self) -> list[Record]:
        reader = new_reader(self.settings)
        await reader.start()
        found: list[Record] = []
        try:
            reader.assign(partitions(PLACES))
            await reader.seek_to_beginning()
            upto = await ends(reader, PLACES)
            while any([await reader.position(tp) < upto[tp.topic, tp.partition] for tp in reader.assignment()]):
                for records in (await poll(reader, 1, 10_000)).values():
                    found += records
        finally:
            await reader.stop()
        return found


@contextmanager
def running(variables: Mapping[str, str], log: Path) -> Iterator[Ingest]:
    """Start ingest and wait until it is ready; end it whatever happens."""
    port = free_port()
    own = {"CRM_INGEST_WEB_PORT": str(port), "CRM_IDENTITY_SECRET": SECRET, "CRM_LANES": str(LANES)}
    said = {**variables, **own}
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **said},
        )
    try:
        eventually(lambda: _ready(port, process, log))
        settings = RuntimeSettings.model_validate(
            {
                "kafka_bootstrap_servers": variables["CRM_KAFKA_BOOTSTRAP_SERVERS"],
                "database_url": variables["CRM_DATABASE_URL"],
                "lanes": LANES,
            }
        )
        yield Ingest(settings, said, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def eventually(look: Callable[[], Any]) -> Any:
    """Return what `look` finds once it finds something."""
    until = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < until, "nothing came of it"
        time.sleep(LOOK_SECONDS)
    return found


def _ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8", "replace")[-3000:]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
