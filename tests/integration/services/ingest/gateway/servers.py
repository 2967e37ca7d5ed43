"""The gateway as a process of its own, on the real Kafka and PostgreSQL."""

import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.ingest.domain import keys
from services.ingest.domain.keys import NewKey
from shared.contracts.envelope import Headers, header
from shared.contracts.topics import RAW_EVENTS
from shared.local.ports import free_ports
from shared.local.stack import StackAddresses

PATIENCE_SECONDS = 30.0
LANES = 4
OURS = f"gw-{secrets.token_hex(4)}-"
"""How the sources of this run are called: the topic is everybody's."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running gateway: where events go, where its pages are, and its process."""

    port: int
    web_port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def page(self, name: str) -> tuple[int, str]:
        return fetch(f"http://127.0.0.1:{self.web_port}/{name}")

    def count(self, metric: str) -> float:
        text = self.page("metrics")[1]
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(metric))


def fetch(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Ask or post, whatever the status is."""
    request = urllib.request.Request(url, body, dict(headers or {}))  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode("latin-1")
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode("latin-1")


@contextmanager
def server(
    stack: StackAddresses,
    database_url: str,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
) -> Iterator[Server]:
    """Run a gateway; with `ready` it is handed out when it says that it is."""
    port, web_port = free_ports(2)
    environment = {
        **os.environ,
        "CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "CRM_DATABASE_URL": database_url,
        "CRM_IDENTITY_SECRET": "a secret of the tests",
        "CRM_LANES": str(LANES),
        "CRM_INGEST_GATEWAY_PORT": str(port),
        "CRM_INGEST_GATEWAY_WEB_PORT": str(web_port),
        **(variables or {}),
    }
    log = folder / f"gateway-{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-m", "services.ingest.gateway"], env=environment, stderr=sink)
    found = Server(port, web_port, process, log)
    try:
        wait_for(lambda: _status(found) in ({200} if ready else {200, 503}), found)
        yield found
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _status(server: Server) -> int:
    try:
        return server.page("readyz")[0]
    except OSError:
        return 0


def wait_for(condition: Callable[[], bool], server: Server, seconds: float = PATIENCE_SECONDS) -> None:
    """Return when a condition holds; fail with the server's log when it does not in time."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, server.log.read_text("utf-8", "replace")
        assert server.process.poll() is None, server.log.read_text("utf-8", "replace")
        sleep(0.02)


def registered(database_url: str, name: str, rate: int | None = None) -> NewKey:
    """Add a source with one key."""
    key = keys.make(secrets.token_bytes(keys.RANDOM_BYTES))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO ingest.sources (name, kind, strictness, rate, burst) VALUES (%s, 'http', 'open', %s, %s)",
            (name, rate, rate),
        )
        connection.execute(
            "INSERT INTO ingest.source_keys (id, source, hash) VALUES (%s, %s, %s)", (key.id, name, key.hash)
        )
    return key


def _end(consumer: Consumer, place: TopicPartition) -> int:
    """Return where a partition ends; one that was made a moment ago may have no leader yet."""
    until = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=PATIENCE_SECONDS)[1])
        except KafkaException:
            if monotonic() > until:
                raise
            sleep(0.1)


class Tail:
    """What is written to the topic of raw events from now on, by sources whose names begin so."""

    def __init__(self, stack: StackAddresses, prefix: str) -> None:
        self._prefix = prefix
        self._consumer = Consumer({"bootstrap.servers": stack.kafka, "group.id": secrets.token_hex(8)})
        places = [TopicPartition(RAW_EVENTS.name, lane) for lane in range(LANES)]
        for place in places:
            place.offset = _end(self._consumer, place)
        self._consumer.assign(places)

    def take(self) -> Mapping[str, Sequence[tuple[bytes, Headers]]]:
        """Return what was written up to now by sources of the tests, by source."""
        found: dict[str, list[tuple[bytes, Headers]]] = defaultdict(list)
        ends = {
            place.partition: self._consumer.get_watermark_offsets(place, timeout=PATIENCE_SECONDS)[1]
            for place in self._consumer.assignment()
        }
        deadline = monotonic() + PATIENCE_SECONDS
        while any(self._position(lane) < end for lane, end in ends.items()):
            assert monotonic() < deadline, "the topic was not read to its end"
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None:
                pairs: Any = message.headers() or []
                headers: Headers = [(name, value or b"") for name, value in pairs]
                source = header(headers, "source") or ""
                if source.startswith(self._prefix):
                    found[source].append((message.value() or b"", headers))
        return found

    def _position(self, lane: int) -> int:
        (place,) = self._consumer.position([TopicPartition(RAW_EVENTS.name, lane)])
        return place.offset if place.offset >= 0 else self._begins(lane)

    def _begins(self, lane: int) -> int:
        return next(place.offset for place in self._consumer.assignment() if place.partition == lane)

    def close(self) -> None:
        self._consumer.close()
