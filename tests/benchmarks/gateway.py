"""The gateway beside the bare frame: answers a second with ten events each, durable ones against thrown-away ones."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from confluent_kafka import Consumer, TopicPartition

from services.ingest.domain import keys
from shared.contracts.topics import RAW_EVENTS
from shared.local.ports import free_ports
from shared.local.stack import StackAddresses
from shared.runtime.handler import DirectMessage
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of
from tests.benchmarks.http_load import Load
from tests.benchmarks.servers import database, recreate

EVENTS = 10
CLIENTS = 32
REQUESTS = 500
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rates:
    """One round: answers a second and CPU an answer of both, and how long the gateway's take at half its load.

    CPU includes the warm-up's, so it is a little too high for both.
    """

    frame: float
    gateway: float
    p99_ms: float
    cpu_us: float
    frame_cpu_us: float

    @property
    def ratio(self) -> float:
        """Return what durability, keys and verdicts leave of the frame's speed."""
        return self.gateway / self.frame


def measure(
    addresses: StackAddresses, events: Sequence[DirectMessage], lanes: int, folder: Path, seconds: float
) -> Rates:
    """Run both in turn, and the gateway once more at half its load; every answer's events must be on the topic.

    Raises:
        AssertionError: an answer was no 200, or the topic holds less than was answered.
    """
    key = keys.make(secrets.token_bytes(keys.RANDOM_BYTES))
    file = folder / "requests"
    file.write_bytes(b"\0".join(_requests(events, key.text)))
    with _process(["-m", "tests.benchmarks.bare_frame"], {}) as (port, process):
        before = _cpu(process)
        frame = _load(port, file, seconds, 0)
        frame_cpu = _cpu(process) - before
    recreate(addresses.kafka, [RAW_EVENTS], lanes)
    with database(addresses.database_url, "bench_gateway") as url:
        migrate(url, history_of("ingest"))
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO ingest.sources (name, kind, strictness) VALUES ('bench', 'http', 'open')")
            connection.execute(
                "INSERT INTO ingest.source_keys (id, source, hash) VALUES (%s, 'bench', %s)", (key.id, key.hash)
            )
        variables = {
            "CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
            "CRM_DATABASE_URL": url,
            "CRM_IDENTITY_SECRET": secrets.token_hex(16),
            "CRM_LANES": str(lanes),
        }
        with _process(["-m", "services.ingest.gateway"], variables) as (port, process):
            before = _cpu(process)
            full = _load(port, file, seconds, 0)
            cpu = _cpu(process) - before
            half = _load(port, file, seconds, full.answers / full.seconds / 2)
    kept = _written(addresses.kafka, lanes)
    answered = full.answers + half.answers
    assert frame.failures == full.failures == half.failures == 0, (frame, full, half)
    assert kept >= answered, f"{answered} answers, {kept} records"
    per_second = full.answers / full.seconds
    return Rates(
        frame=frame.answers / frame.seconds,
        gateway=per_second,
        p99_ms=half.p99_ms,
        cpu_us=cpu / full.answers * 1e6,
        frame_cpu_us=frame_cpu / frame.answers * 1e6,
    )


def _requests(events: Sequence[DirectMessage], key: str) -> Iterator[bytes]:
    for number in range(REQUESTS):
        texts = [event.message.value or b"" for event in events[number * EVENTS : (number + 1) * EVENTS]]
        body = b'{"batch":[' + b",".join(texts) + b"]}"
        head = f"POST /v1/batch HTTP/1.1\r\nHost: bench\r\nX-Write-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        yield head.encode() + body


@contextmanager
def _process(arguments: Sequence[str], variables: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    port, web_port = free_ports(2)
    ports = {"CRM_INGEST_GATEWAY_PORT": str(port), "CRM_INGEST_GATEWAY_WEB_PORT": str(web_port)}
    started = subprocess.Popen([sys.executable, *arguments, str(port)], env={**os.environ, **variables, **ports})
    page = f"http://127.0.0.1:{web_port}/readyz" if variables else f"http://127.0.0.1:{port}/"
    try:
        _await_page(page, started)
        yield port, psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(PATIENCE_SECONDS)


def _await_page(page: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(page, timeout=5):  # noqa: S310 - our own address
                return
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return
        except OSError:
            pass
        if time.monotonic() > deadline or process.poll() is not None:
            raise TimeoutError(page)
        time.sleep(0.05)


def _load(port: int, file: Path, seconds: float, rate: float) -> Load:
    command = [sys.executable, "-m", "tests.benchmarks.http_load", str(port), str(file), str(CLIENTS)]
    ended = subprocess.run([*command, str(seconds), str(rate)], capture_output=True, text=True, check=True, timeout=300)
    return Load(**json.loads(ended.stdout))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _written(bootstrap: str, lanes: int) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-gateway"})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition(RAW_EVENTS.name, lane), timeout=10)[1]
            for lane in range(lanes)
        )
    finally:
        consumer.close()
