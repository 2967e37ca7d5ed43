"""A whole Rapport as tests see it: send raw events in, read topics and tables, ask the commands."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import msgspec
import psycopg

import shared
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import RAW_EVENTS, Topic
from shared.local.platform import DEFAULT_LANES, Platform
from shared.local.stack import StackAddresses
from shared.local.temporary import temporary_stack
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.producing import Producing
from shared.runtime.records import Record
from shared.runtime.settings import RuntimeSettings
from tests.topic_reading import records_of

T = TypeVar("T")

CONFIG = Path(__file__).parent / "config"
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Rapport:
    """Servers, services and a mail server that run; `logs` are the folders with everything that they write."""

    platform: Platform
    addresses: StackAddresses
    logs: Sequence[Path]

    @property
    def settings(self) -> RuntimeSettings:
        """Return the settings of somebody who may do everything."""
        return RuntimeSettings.model_validate(
            {"kafka_bootstrap_servers": self.addresses.kafka, "database_url": self.addresses.database_url}
        )

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that commands and further services need."""
        known = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
        return known | self.platform.variables() | {"PYTHONPATH": str(Path(shared.__file__).parents[1])}

    def ask(self, *command: str) -> Any:
        """Run `rapport <command> --json` and return its document."""
        self.platform.root.mkdir(parents=True, exist_ok=True)
        run = subprocess.run(
            [sys.executable, "-m", "shared.cli", *command, "--json"],
            cwd=self.platform.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stderr + run.stdout
        return json.loads(run.stdout)

    def rows(self, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Look at the tables."""
        with psycopg.connect(self.addresses.database_url) as connection:
            return connection.execute(query, parameters).fetchall()

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Callable[[str, Mapping[str, Any]], Awaitable[None]]]:
        """Give a way to send calls as a shop's SDK would, under a partition key."""
        producing = Producing(self.settings)
        await producing.start()

        async def send(key: str, call: Mapping[str, Any]) -> None:
            message = Message(key.encode(), msgspec.json.encode(call), [("source", b"web-shop")])
            await producing.produce([DirectMessage(RAW_EVENTS.name, lane_of(key, DEFAULT_LANES), message)])

        try:
            yield send
        finally:
            await producing.stop()

    async def records(self, topic: Topic) -> list[Record]:
        """Read a topic from its start to where it ends now, partition after partition."""
        return await records_of(self.settings, [(topic.name, lane) for lane in range(DEFAULT_LANES)])


@contextmanager
def running(
    folder: Path, variables: Mapping[str, str] | None = None, prepare: Callable[[Rapport], None] = lambda _: None
) -> Iterator[Rapport]:
    """Start two servers and everything of ours; gone at the end. `prepare` acts before any service runs."""
    with temporary_stack(folder / "servers") as servers:
        addresses = servers.addresses()
        assert addresses is not None
        found = {"CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka, "CRM_DATABASE_URL": addresses.database_url}
        platform = Platform(folder / "home", CONFIG, environment={**(variables or {}), **found})
        rapport = Rapport(platform, addresses, (folder / "servers" / "logs", platform.root / "logs"))
        try:
            platform.migrate(addresses)
            prepare(rapport)
            platform.up()
            yield rapport
        finally:
            platform.down()


async def until(what: str, look: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """Look again and again until there is something; fail in words when there is nothing in time."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + seconds
    while not (found := await asyncio.to_thread(look)):
        assert loop.time() < ends_at, f"waited {seconds:.0f} s in vain for: {what}"
        await asyncio.sleep(LOOK_SECONDS)
    return found
