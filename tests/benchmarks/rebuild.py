"""Customers counted anew from the timeline, beside the live fold of the same events in the same process."""

import asyncio
import time
from collections.abc import Sequence

import psycopg
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.sessions import SESSION
from services.profile.domain.identity_rules import IdentityRules
from services.profile.handlers import ProfileHandler
from services.profile.rebuilding.checking import Checked, check_all
from services.profile.rebuilding.opening import site_of
from services.profile.rebuilding.rebuild import Outcome, Rebuild
from services.profile.settings import RebuildingSettings
from services.profile.state_cache import StateCache
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.migrations import migrate
from shared.runtime.records import PlainRecord, Record
from shared.runtime.schema_revision import history_of
from tests.benchmarks.baskets import baskets
from tests.benchmarks.interactions import interactions, merging
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.servers import database
from tests.unit.services.profile.in_memory import apply

EVENTS = 50_000
BATCH = 5_000
CACHED = 20_000
SPOILT = 200
GOAL = 1.0
_OPTIONS = "-c search_path=profile -c timezone=UTC " + " ".join(f"-c {name}={value}" for name, value in SESSION.items())
_SPOIL = """
    UPDATE identities i SET doc = o.doc FROM (SELECT doc FROM identities WHERE doc IS NOT NULL ORDER BY id LIMIT 1) AS o
    WHERE i.id IN (SELECT id FROM identities WHERE doc IS NOT NULL AND root IS NULL ORDER BY id DESC LIMIT %s)
"""


class WrongRebuildError(Exception):
    """A rebuild was fast and wrong."""


def measure(bench: Bench) -> Row:
    """Fold the baskets, count every customer anew, change some by hand, and put those right."""
    events = interactions(baskets()[:EVENTS], merging, bench.lanes)
    records: list[Record] = [
        PlainRecord(
            topic=one.topic, partition=one.lane, offset=offset, key=one.message.key, value=one.message.value,
            headers=one.message.headers,
        )
        for offset, one in enumerate(events)
    ]  # fmt: skip
    with database(bench.addresses.database_url, "bench_rebuild") as url:
        migrate(url, history_of("profile"))
        folded = asyncio.run(_fold(url, records))
        settings = RebuildingSettings.model_validate({"database_url": url, "lanes": bench.lanes})
        counted, found = asyncio.run(_check(settings))
        with psycopg.connect(url, options=_OPTIONS) as connection:
            connection.execute(_SPOIL, (SPOILT,))
        rebuilt, outcome = asyncio.run(_rebuild(settings))
    if (found.events, found.different) != (EVENTS, 0) or not 0 < outcome.switched == outcome.different <= SPOILT:
        raise WrongRebuildError(f"{found.events} events, {found.different} differences, {outcome.switched} put right")
    live, anew = round(EVENTS / folded), round(EVENTS / counted)
    ratio = round(anew / live, 2)
    switched = round(1e3 * max(rebuilt - counted, 0) / outcome.switched, 1)
    return Row(
        "rebuild",
        {
            "ratio_to_live_fold": ratio,
            "events_per_second": anew,
            "live_events_per_second": live,
            "customers_per_second": round(found.customers / counted),
            "put_right_ms": switched,
        },
        (
            f"Rebuild, {EVENTS:,} events, {found.customers:,} customers: {anew:,} events/s counted anew and compared.",
            f"Live in the same process: {live:,} events/s; {switched:g} ms for each customer put right.",
            f"Goal: at least {GOAL:g} x of the live fold in the same process; found {ratio:g} x.",
        ),
    )


async def _fold(url: str, records: Sequence[Record]) -> float:
    store = PostgresCustomers(NullFailpoints())
    handler = ProfileHandler(store, StateCache(CACHED), 1, IdentityRules())
    async with await AsyncConnection.connect(url, options=_OPTIONS) as connection:
        begun = time.perf_counter()
        for first in range(0, len(records), BATCH):
            async with connection.transaction():
                await apply(handler, records[first : first + BATCH], connection)
        return time.perf_counter() - begun


async def _check(settings: RebuildingSettings) -> tuple[float, Checked]:
    async with site_of(settings) as site:
        begun = time.perf_counter()
        found = await check_all(site, lambda _: None)
        return time.perf_counter() - begun, found


async def _rebuild(settings: RebuildingSettings) -> tuple[float, Outcome]:
    async with site_of(settings) as site:
        begun = time.perf_counter()
        outcome = await Rebuild(site, lambda *_: None).run()
        return time.perf_counter() - begun, outcome
