"""Segmenters as processes of their own on the real Kafka: what is sent to them, and what they say."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from shared.contracts.topics import ACTIVITIES, CUSTOMERS, SEGMENT_MEMBERSHIPS
from shared.runtime.handler import DirectMessage
from shared.runtime.kafka_input import ends, new_reader, partitions, poll
from shared.runtime.producing import Producing
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings
from tests.integration.services.ingest.wire.running import ROOT, free_port

LANES = 4
PATIENCE = 90.0
LOOK_SECONDS = 0.05
INPUTS = [(topic.name, lane) for topic in (ACTIVITIES, CUSTOMERS) for lane in range(LANES)]
MEMBERSHIPS = [(SEGMENT_MEMBERSHIPS.name, lane) for lane in range(LANES)]


@contextmanager
def running(count: int, variables: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run several workers, each ready; end them whatever happens."""
    with ExitStack() as stack:
        for number in range(count):
            stack.enter_context(_worker(variables, folder / f"segmenter-{number}.log"))
        yield


@contextmanager
def _worker(variables: Mapping[str, str], log: Path) -> Iterator[None]:
    port = free_port()
    own = {"CRM_SEGMENTER_WEB_PORT": str(port), "CRM_LANES": str(LANES), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "services.segmenter"]
    with log.open("ab") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env={**variables, **own}
        )

    def ready() -> bool:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-3000:]
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return True
        except (URLError, OSError):
            return False

    try:
        eventually(ready)
        yield
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


async def send(settings: RuntimeSettings, messages: Sequence[DirectMessage]) -> None:
    """Write messages, each lane in their order."""
    producing = Producing(settings)
    await producing.start()
    try:
        await producing.produce(messages)
    finally:
        await producing.stop()


async def written(settings: RuntimeSettings) -> int:
    """Tell how many records there are to be read."""
    reader = new_reader(settings)
    await reader.start()
    try:
        return sum((await ends(reader, INPUTS)).values())
    finally:
        await reader.stop()


async def memberships(settings: RuntimeSettings) -> Mapping[bytes, bytes | None]:
    """Read the topic of who is in from its beginning, as somebody who starts from nothing does."""
    reader = new_reader(settings)
    await reader.start()
    found: dict[bytes, Record] = {}
    try:
        reader.assign(partitions(MEMBERSHIPS))
        await reader.seek_to_beginning()
        upto = await ends(reader, MEMBERSHIPS)
        while any([await reader.position(tp) < upto[tp.topic, tp.partition] for tp in reader.assignment()]):
            for records in (await poll(reader, 1, 10_000)).values():
                found |= {record.key or b"": record for record in records}
    finally:
        await reader.stop()
    return {key: record.value for key, record in found.items()}


def wait(coroutine: Any) -> Any:
    """Run to the end."""
    return asyncio.run(coroutine)
