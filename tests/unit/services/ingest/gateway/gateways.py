"""A gateway without a socket, and a Kafka that can be told to be slow or gone."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaConnectionError
from pydantic import SecretStr

from services.ingest.domain import keys
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.sources import Source
from services.ingest.gateway.appending import Appender, Log
from services.ingest.gateway.application import Gateway
from services.ingest.gateway.observing import Observer
from services.ingest.gateway.reception import Reception
from services.ingest.gateway.settings import IngestGatewaySettings
from services.ingest.ports import Snapshot
from services.ingest.source_book import SourceBook
from shared.contracts.envelope import Headers
from shared.runtime.clock import FixedClock
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Message
from shared.runtime.metrics import Metrics
from shared.runtime.records import PlainRecord
from tests.unit.services.ingest.memory_sources import InMemorySources
from tests.unit.services.ingest.records import APPENDED, READER

KEY = keys.make(b"\x07" * keys.RANDOM_BYTES)
OTHER_KEY = keys.make(b"\x08" * keys.RANDOM_BYTES)
UNKNOWN = keys.make(b"\x09" * keys.RANDOM_BYTES).text
LANES = 2


class InMemoryLog:
    """Keeps what it is given, unless it is told to be gone or to wait."""

    def __init__(self) -> None:
        self.written: list[tuple[Message, Headers]] = []
        self.runs: list[int] = []
        self.gone = False
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, topic: str, lane: int, run: Iterable[tuple[Message, Headers]]) -> object:
        messages = list(run)
        await self.open.wait()
        if self.gone:
            raise KafkaConnectionError(f"{topic} {lane}")
        self.written += messages
        self.runs.append(len(messages))
        return None


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Running:
    """A gateway to speak to."""

    gateway: Gateway
    metrics: Metrics
    clock: FixedClock

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | Sequence[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        query: str = "",
        *,
        with_length: bool = True,
    ) -> Reply | None:
        """Send one request as a server would hand it over; nothing if it is not answered."""
        chunks = [body] if isinstance(body, bytes) else list(body)
        named = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        if with_length and method == "POST":
            named.append((b"content-length", str(sum(map(len, chunks))).encode()))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode("latin-1"),
            "headers": named,
            "scheme": "http",
        }
        waiting = iter(chunks)
        left = len(chunks)

        async def receive() -> dict[str, Any]:
            nonlocal left
            left -= 1
            part = next(waiting, None)
            if part is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": left > 0}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await self.gateway(scope, receive, send)
        if not sent:
            return None
        start, content = sent
        told = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Reply(start["status"], told, content["body"])

    async def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None, query: str = "") -> Reply:
        """Post JSON, or bytes as they are, with the key of the tests."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = await self.ask("POST", path, content, {**basic(KEY.text), **(headers or {})}, query)
        assert reply is not None
        return reply

    def counted(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(name, labels)
        assert found is not None
        return found


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def settings(**changes: Any) -> IngestGatewaySettings:
    return IngestGatewaySettings(
        kafka_bootstrap_servers="localhost:9092",
        database_url=SecretStr("postgresql://nobody@localhost/none"),
        identity_secret=SecretStr("a secret of the tests"),
        **changes,
    )


def book(clock: FixedClock, sources: Sequence[Source]) -> SourceBook:
    stored = [
        keys.StoredKey(key.id, source.name, key.hash, None)
        for key, source in zip((KEY, OTHER_KEY), sources, strict=False)
    ]
    known = Snapshot({source.name: source for source in sources}, {key.id: key for key in stored})
    return SourceBook(InMemorySources(known), clock, known)


@asynccontextmanager
async def running(
    log: Log, *sources: Source, known: SourceBook | None = None, **changes: Any
) -> AsyncIterator[Running]:
    """Run a gateway that writes to a log."""
    clock = FixedClock(APPENDED)
    sourced = known or book(clock, sources or (Source("shop", "segment"), Source("other", "segment")))
    metrics = Metrics("ingest-gateway")
    observer = Observer(metrics)
    appender = Appender(log, LANES, NullFailpoints())
    reception = Reception(
        settings(**changes), sourced, Reader(READER.identities, sourced.source), appender, clock, observer
    )
    work = asyncio.create_task(appender.run())
    try:
        yield Running(Gateway(reception, observer, no_lifespan), metrics, clock)
    finally:
        work.cancel()
        await asyncio.wait({work})


@asynccontextmanager
async def no_lifespan(_router: object) -> AsyncIterator[None]:
    yield


def told(values: Iterable[tuple[bytes | None, Sequence[tuple[str, bytes]]]]) -> list[str]:
    """Read records as ingest will: the names of accepted events, `!reason path` for those that are refused."""
    found: list[str] = []
    for value, headers in values:
        record = PlainRecord(
            topic="crm.raw-events.v1",
            partition=0,
            offset=0,
            timestamp=round(APPENDED.timestamp() * 1000),
            value=value,
            headers=headers,
        )
        for reading in read(record, READER):
            if isinstance(reading, Refused):
                found.append(f"!{reading.problem.reason} {reading.problem.path}".strip())
            else:
                found.append(reading.name)
    return found
