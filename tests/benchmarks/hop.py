"""Our full profile hop as its own process: interactions in, records, timeline and both topics out, all acknowledged."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from services.profile.domain.state import load
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.local.ports import free_ports
from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of
from tests.benchmarks.measured import Measured
from tests.benchmarks.servers import database, recreate

PATIENCE_SECONDS = 180.0
CONFIG = Path(__file__).parents[2] / "config"
_AS_IT_COMES: Mapping[str, str] = {}
_PHASE = re.compile(r'crm_batch_duration_seconds_sum\{.*phase="(\w+)".*\} ([0-9.e+-]+)')


@dataclass(frozen=True, slots=True)
class Orders:
    """What the tables must hold in the end: the orders of these interactions, and those that were there before."""

    count: int
    cents: int
    before: int = 0
    cents_before: int = 0


class WrongHopError(Exception):
    """The hop was fast and wrong: events, orders or cents are missing from its tables, or there twice."""


def measure(
    addresses: StackAddresses,
    lanes: int,
    name: str,
    logs: Path,
    orders: Orders,
    *,
    fill: Callable[[str], None] | None = None,
    settings: Mapping[str, str] = _AS_IT_COMES,
) -> Measured:
    """Run profile over all interactions with empty outputs and a database that is empty or that `fill` filled.

    Raises:
        WrongHopError: what is in the tables afterwards is not what the interactions say.
    """
    recreate(addresses.kafka, (CUSTOMERS, ACTIVITIES), lanes)
    with database(addresses.database_url, f"bench_profile_{name}") as url:
        migrate(url, history_of("profile"))
        if fill is not None:
            fill(url)
        port = free_ports(1)[0]
        with (
            _profile(addresses.kafka, url, port, logs / f"profile-{name}.log", settings) as process,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            _wait(connection, "SELECT count(*) FROM profile.lanes", lanes, process)
            began, cpu = time.perf_counter(), _cpu(process)
            total = _interactions(addresses.kafka, lanes)
            _wait(connection, "SELECT coalesce(sum(events_read), 0) FROM profile.positions", total, process)
            _wait(connection, "SELECT -count(*) FROM profile.publications", 0, process)
            seconds, cpu = time.perf_counter() - began, _cpu(process) - cpu
            rss = process.memory_info().rss / 1024 / 1024
            phases = _phases(port, total)
        with psycopg.connect(url) as connection:
            _check(connection, orders)
        return Measured(total, seconds, cpu, rss, phases)


def _check(connection: psycopg.Connection, orders: Orders) -> None:
    row = connection.execute("SELECT count(*) FROM profile.timeline").fetchone()
    if row is None or row[0] != orders.count:
        raise WrongHopError(f"{row} rows in the timeline for {orders.count} events")
    # State lies at the identity that carried the event, so each order is in one document, whoever is one person.
    count, cents = 0, 0
    with connection.cursor("documents", binary=True) as cursor:
        cursor.execute("SELECT doc FROM profile.identities WHERE doc IS NOT NULL")
        for (document,) in cursor:
            state = load(document)
            count += state.order_count
            cents += int(sum(state.revenue.values(), Decimal(0)) * 100)
    if (count, cents) != (orders.before + orders.count, orders.cents_before + orders.cents):
        raise WrongHopError(f"{count} orders of {cents} cents")


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
def _profile(bootstrap: str, url: str, port: int, log: Path, settings: Mapping[str, str]) -> Iterator[psutil.Process]:
    environment = {
        **os.environ,
        "CRM_PROFILE_IDENTITY_RULES": str(CONFIG / "identity.yaml"),
        "CRM_PROFILE_LIFECYCLE_STAGES": str(CONFIG / "lifecycle.yaml"),
        **settings,
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
