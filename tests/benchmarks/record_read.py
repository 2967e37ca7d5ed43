"""One record over HTTP out of a million customers, by any identifier: how long it takes, beside a bare `SELECT 1`."""

import asyncio
import http.client
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain.identity_rules import IdentityRules
from services.profile.handlers import ProfileHandler
from services.profile.state_cache import StateCache
from shared.contracts.identities import IdentityRef, identity_id
from shared.contracts.interactions import Interaction
from shared.local.ports import free_ports
from shared.runtime.api_keys import hashed
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import history_of
from tests.benchmarks import population
from tests.benchmarks.baskets import baskets
from tests.benchmarks.interactions import SECRET
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.servers import database
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import apply

READS = 1_000
SAMPLE = 20_000
"""Baskets whose households the customers are like."""
MERGED = 1_000
"""Customers of two identities, the second an e-mail address that was a customer of its own before."""
LONG, EACH = 100, 200
"""So many of them did so many things each, over two years."""
GOAL_MS = 50.0
READY_SECONDS = 60.0
_KEY = "a key of the benchmark"
_SESSION = "-c search_path=profile -c enable_seqscan=off -c timezone=UTC"


class WrongReadError(Exception):
    """An answer was fast and wrong."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds that half of the answers took at most, and 99 of 100."""

    p50_ms: float
    p99_ms: float


def measure(bench: Bench) -> Row:
    """Fill the tables, restart PostgreSQL, and read customers one after the other, few of them twice."""
    customers = bench.customers[-1]
    with database(bench.addresses.database_url, "bench_record_read") as url:
        migrate(url, history_of("profile"))
        population.fill(url, population.people(baskets()[:SAMPLE]), customers)
        asyncio.run(_merge(url, min(MERGED, customers)))
        bench.servers.postgres.stop()
        bench.servers.up()
        with _served(url, bench.folder / "profile-api.log") as port:
            times = _read(port, list(_asked(customers)))
    bare = times["bare SELECT 1"]
    slowest = max(one.p99_ms for name, one in times.items() if name != "timeline, 50 activities")
    ratio = round(max(one.p50_ms for name, one in times.items() if name.startswith("by ")) / bare.p50_ms, 2)
    shown = ", ".join(f"{name} {one.p50_ms:.1f} / {one.p99_ms:.1f} ms" for name, one in times.items())
    goal = (
        f"Goal: p99 within {GOAL_MS:g} ms by any identifier; found {slowest:.1f} ms, "
        f"and half of them within {ratio:g} x of a bare SELECT 1."
    )
    return Row(
        "record read",
        {
            "customers": customers,
            "ratio_to_bare": ratio,
            "times": {name: {"p50_ms": one.p50_ms, "p99_ms": one.p99_ms} for name, one in times.items()},
        },
        (
            f"One record of {customers:,} over HTTP, p50 / p99: {shown}.",
            goal,
        ),
    )


def _asked(customers: int) -> Iterator[tuple[str, Sequence[str], int]]:
    chance = random.Random(5)  # noqa: S311 - a seeded sample, not a secret
    some = [chance.randrange(customers) for _ in range(READS)]
    merged = [number % min(MERGED, customers) for number in some]
    yield "bare SELECT 1", ["/readyz"] * READS, 0
    yield "by id", [f"/customers/{_user(number).id}" for number in some], 0
    yield "by user id", [f"/customers/user_id:{_user(number).value}" for number in reversed(some)], 0
    yield "by e-mail", [f"/customers/email:{_mail(number).value}" for number in merged], 2
    yield "by an id that was merged", [f"/customers/{_mail(number).id}" for number in reversed(merged)], 2
    long = [f"/customers/{_user(number % LONG).id}/timeline?limit=50" for number in some]
    yield "timeline, 50 activities", long, 50


def _user(number: int) -> IdentityRef:
    name = population.customer(number)
    return IdentityRef(identity_id(SECRET, "user_id", name), "user_id", name)


def _mail(number: int) -> IdentityRef:
    address = f"{population.customer(number)}@example.org"
    return IdentityRef(identity_id(SECRET, "email", address), "email", address)


async def _merge(url: str, merged: int) -> None:
    store = PostgresCustomers(NullFailpoints())
    handler = ProfileHandler(store, StateCache(10_000), 1, IdentityRules())
    said = [_event(f"alone-{n}", (_mail(n),), n) for n in range(merged)]
    said += [_event(f"both-{n}", (_user(n), _mail(n)), n) for n in range(merged)]
    said += [_event(f"one-{n}-{m}", (_user(n),), m * 3) for n in range(min(LONG, merged)) for m in range(EACH)]
    async with await AsyncConnection.connect(url, options=_SESSION) as connection:
        for first in range(0, len(said), 1_000):
            async with connection.transaction():
                batch = [record(one) for one in said[first : first + 1_000]]
                await apply(handler, batch, connection)


def _event(name: str, who: tuple[IdentityRef, ...], days: int) -> Interaction:
    at = START - timedelta(days=days % 700, seconds=days)
    made = interaction(name, ("Product Viewed", "browse", {"product_id": name}), occurred_at=at)
    key = f"{int(at.timestamp() * 1000):012x}{made.dedupe_key[12:]}"
    return msgspec.structs.replace(made, identities=who, dedupe_key=key)


@contextmanager
def _served(url: str, log: Path) -> Iterator[int]:
    port = free_ports(1)[0]
    environment = {
        **os.environ,
        "CRM_DATABASE_URL": url,
        "CRM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "CRM_IDENTITY_SECRET": SECRET.decode(),
        "CRM_PROFILE_API_PORT": str(port),
        "CRM_API_KEYS": json.dumps([{"name": "bench", "role": "read", "sha256": hashed(_KEY)}]),
    }
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.profile.query"], stdout=sink, stderr=sink, env=environment
        )
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(READY_SECONDS)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    ends_at = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > ends_at:
                raise
        time.sleep(0.05)


def _read(port: int, asked: Sequence[tuple[str, Sequence[str], int]]) -> dict[str, Times]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took: dict[str, list[float]] = {name: [] for name, _, _ in asked}
    # In turn: whatever slows the machine down for a while slows all of them.
    for number in range(READS):
        for name, paths, expected in asked:
            began = time.perf_counter()
            connection.request("GET", paths[number], headers={"Authorization": f"Bearer {_KEY}"})
            with connection.getresponse() as answer:
                body = answer.read()
            took[name].append((time.perf_counter() - began) * 1000)
            if answer.status != 200 or _found(body) < expected:
                raise WrongReadError(f"{paths[number]}: {answer.status}, {body[:200]!r}")
    connection.close()
    return {name: _times(sorted(some)) for name, some in took.items()}


def _times(took: Sequence[float]) -> Times:
    return Times(round(took[len(took) // 2], 2), round(took[len(took) * 99 // 100], 2))


def _found(body: bytes) -> int:
    said = json.loads(body)
    return len(said["activities"]) if "activities" in said else len(said.get("customer", {}).get("identities", ()))
