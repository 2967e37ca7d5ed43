"""Our full profile hop as its own process: interactions in, records, timeline and both topics out, all acknowledged."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.local.ports import free_ports
from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of
from tests.benchmarks.measured import Measured
from tests.benchmarks.servers import database, recreate

PATIENCE_SECONDS = 180.0
_PHASE = re.compile(r'crm_batch_duration_seconds_sum\{.*phase="(\w+)".*\} ([0-9.e+-]+)')


def measure(addresses: StackAddresses, lanes: int, round_: int, logs: Path) -> Measured:
    """Run profile over all interactions with an empty database and empty outputs."""
    recreate(addresses.kafka, (CUSTOMERS, ACTIVITIES), lanes)
    with database(addresses.database_url, f"bench_profile_{round_}") as url:
        migrate(url, history_of("profile"))
        port = free_ports(1)[0]
        with (
            _profile(addresses.kafka, url, port, logs / f"profile-{round_}.log") as process,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            _wait(connection, "SELECT count(*) FROM profile.lanes", lanes, process)
            began, cpu = time.perf_counter(), _cpu(process)
            total = _interactions(addresses.kafka, lanes)
            _wait(connection, "SELECT coalesce(sum(events_read), 0) FROM profile.positions", total, process)
            _wait(connection, "SELECT -count(*) FROM profile.publications", 0, process)
            seconds, cpu = time.perf_counter() - began, _cpu(process) - cpu
            rss = process.memory_info().rss / 1024 / 1024
            return Measured(total, seconds, cpu, rss, _phases(port, total))


def _interactions(bootstrap: str, lanes: int) -> int:
    from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415 - asks for watermarks only

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-watermarks"})
    try:
        return sum(
            consumer.get_watermark_offsets(TopicPartition("crm.interactions.v1", lane), timeout=10)[1]
            for lane in range(lanes)
        )
    finally:
        consumer.close()


@contextmanager
def _profile(bootstrap: str, url: str, port: int, log: Path) -> Iterator[psutil.Process]:
    environment = {
        **os.environ,
        "CRM_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CRM_DATABASE_URL": url,
        "CRM_PROFILE_WEB_PORT": str(port),
        "CRM_INSTANCE_ID": "bench",
    }
    with log.open("wb") as sink:
        started = subprocess.Popen([sys.executable, "-m", "services.profile"], env=environment, stderr=sink)
    try:
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait(30)


def _wait(connection: psycopg.Connection, query: str, least: int, process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        row = connection.execute(sql.SQL(query)).fetchone()
        if row is not None and row[0] >= least:
            return
        if time.monotonic() > deadline or process.status() == psutil.STATUS_ZOMBIE:
            raise TimeoutError(f"profile did not come to {least} by {query}")
        time.sleep(0.02)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _phases(port: int, events: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {phase: round(float(seconds) / events * 1e6, 1) for phase, seconds in _PHASE.findall(text)}
