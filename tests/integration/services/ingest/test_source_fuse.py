"""The fuse of a source on a real PostgreSQL: one that all workers share, and that somebody must put back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from services.ingest.adapters import postgres_registrations as registrations
from services.ingest.adapters.postgres_source_fuse import Limits, PostgresSourceFuse, last_minute
from services.ingest.adapters.postgres_sources import PostgresSources
from services.ingest.domain.reading import Reader
from services.ingest.domain.sources import Source
from services.ingest.domain.tallies import Tally
from services.ingest.ports import Snapshot
from services.ingest.source_book import SourceBook
from services.ingest.source_gauges import SourceGauges
from shared.runtime.clock import FixedClock, SystemClock
from shared.runtime.metrics import Metrics
from shared.runtime.records import PlainRecord
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.sources import add, asked, changing, pool_of
from tests.unit.services.ingest.records import APPENDED as NOW
from tests.unit.services.ingest.records import READER, raw, track

FUSE = PostgresSourceFuse(Limits(0.5, 10))
FUSE_TALLY = Tally(2, 1)
SHOP = Source("web-shop", "web")
KNOWN = Snapshot({SHOP.name: SHOP}, {})
PAUSED = "SELECT paused_reason FROM sources WHERE name = 'web-shop'"


def sent(good: int, bad: int, lane: int = 1, source: bytes = b"web-shop", **headers: bytes) -> list[PlainRecord]:
    values: Sequence[Any] = [track()] * good + [b"?"] * bad
    record = raw(values[0], [("source", source), *headers.items()])
    return [
        msgspec.structs.replace(
            record,
            partition=lane,
            offset=offset,
            value=value if isinstance(value, bytes) else msgspec.json.encode(value),
        )
        for offset, value in enumerate(values)
    ]


async def fed(connection: AsyncConnection, records: Sequence[PlainRecord], at: datetime = NOW) -> None:
    # Each batch is another one of its log: what was quarantined before is not in the way.
    moved = [msgspec.structs.replace(one, timestamp=round(at.timestamp() * 1000)) for one in records]
    await feed(connection, moved, at, reader=Reader(READER.identities, KNOWN.source), fuse=FUSE)


@pytest.fixture(autouse=True)
def _registered(database_url: str) -> None:
    add(database_url, SHOP)


async def test_a_source_is_paused_when_more_than_half_of_what_it_sends_is_refused(
    connection: AsyncConnection, database_url: str
) -> None:
    await fed(connection, sent(5, 5))
    assert asked(database_url, PAUSED) is None
    await fed(connection, sent(0, 1), NOW + timedelta(seconds=1))
    assert asked(database_url, PAUSED) == "fuse"


async def test_a_few_events_blow_no_fuse(connection: AsyncConnection, database_url: str) -> None:
    await fed(connection, sent(0, 9))
    assert asked(database_url, PAUSED) is None
    await fed(connection, sent(0, 1), NOW + timedelta(seconds=1))
    assert asked(database_url, PAUSED) == "fuse"


async def test_workers_count_together(connection: AsyncConnection, database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, options="-c search_path=ingest") as other:
        await fed(connection, sent(0, 5, lane=1))
        await fed(other, sent(0, 4, lane=2), NOW + timedelta(seconds=9))
        assert asked(database_url, PAUSED) is None
        await fed(connection, sent(0, 1, lane=1), NOW + timedelta(seconds=12))
        assert asked(database_url, PAUSED) == "fuse"


async def test_two_workers_with_the_same_source_do_not_wait_for_each_other(
    connection: AsyncConnection, database_url: str
) -> None:
    async with await AsyncConnection.connect(database_url, options="-c search_path=ingest -c lock_timeout=1s") as other:
        first, second = ({("web-shop", lane): FUSE_TALLY} for lane in (1, 2))
        await FUSE.count(connection, first, NOW)
        await FUSE.count(other, second, NOW)
        await other.commit()
        await connection.commit()
    assert await last_minute(connection, NOW) == {"web-shop": (4, 2)}


@pytest.mark.parametrize("seconds", [61, 75])  # in the old counts' place of the ring, and in another
async def test_a_minute_later_all_is_forgotten(connection: AsyncConnection, database_url: str, seconds: int) -> None:
    later = NOW + timedelta(seconds=seconds)
    await fed(connection, sent(0, 9))
    await fed(connection, sent(0, 1), later)
    assert asked(database_url, PAUSED) is None
    assert await last_minute(connection, later) == {"web-shop": (1, 1)}
    assert await last_minute(connection, NOW + timedelta(seconds=200)) == {}


async def test_counts_take_the_place_of_those_a_minute_before(connection: AsyncConnection, database_url: str) -> None:
    for minute in range(5):
        for period in range(6):
            await fed(connection, sent(2, 0), NOW + timedelta(seconds=60 * minute + 10 * period))
    assert asked(database_url, "SELECT count(*) FROM source_counts") == 6
    assert await last_minute(connection, NOW + timedelta(seconds=290)) == {"web-shop": (12, 0)}


async def test_a_clock_that_is_behind_wipes_nothing_out(connection: AsyncConnection) -> None:
    await fed(connection, sent(3, 0))
    await fed(connection, sent(2, 0), NOW - timedelta(seconds=60))
    assert await last_minute(connection, NOW) == {"web-shop": (3, 0)}


async def test_a_batch_that_is_rolled_back_counts_nothing(connection: AsyncConnection, database_url: str) -> None:
    await FUSE.count(connection, {("web-shop", 1): FUSE_TALLY}, NOW)
    await connection.rollback()
    assert await last_minute(connection, NOW) == {}
    assert asked(database_url, "SELECT count(*) FROM source_counts") == 0


async def test_others_are_counted_and_never_paused(connection: AsyncConnection, database_url: str) -> None:
    await fed(connection, sent(0, 40, source=b"somebody"))
    assert await last_minute(connection, NOW) == {"other": (40, 40)}
    assert asked(database_url, "SELECT count(*) FROM sources WHERE paused_at IS NOT NULL") == 0


async def test_a_replay_that_fails_again_blows_no_fuse(connection: AsyncConnection, database_url: str) -> None:
    await fed(connection, sent(0, 40, crm_replay=b"7"))
    assert asked(database_url, PAUSED) is None


async def test_a_paused_source_is_held_and_resumed_with_a_fuse_that_begins_anew(
    connection: AsyncConnection, database_url: str
) -> None:
    await fed(connection, sent(0, 10))
    async with pool_of(database_url) as pool:
        book = SourceBook(PostgresSources(pool), SystemClock())
        await book.refresh()
        reader = Reader(READER.identities, book.source)
        later = NOW + timedelta(seconds=1)
        records = [msgspec.structs.replace(one, offset=100 + one.offset) for one in sent(3, 2)]
        decision = await feed(connection, records, later, reader=reader, fuse=FUSE)
        assert [entry.refused.problem.reason.value for entry in decision.rows.entries] == ["source_paused"] * 5
        with changing(database_url) as operator:
            assert sum(registrations.held(operator, "web-shop").values()) == 5
            before = registrations.resume(operator, "web-shop")
        assert before == (NOW, "fuse")
        await book.refresh()
        records = [msgspec.structs.replace(one, offset=200 + one.offset) for one in sent(3, 1)]
        decision = await feed(connection, records, later, reader=reader, fuse=FUSE)
        assert [entry.refused.problem.reason.value for entry in decision.rows.entries] == ["not_json"]
    assert asked(database_url, PAUSED) is None


async def test_the_gauges_show_each_source_by_its_name(connection: AsyncConnection, database_url: str) -> None:
    add(database_url, Source("quiet", "web"))
    await fed(connection, sent(1, 3) + sent(3, 1, source=b"somebody"))
    with changing(database_url) as operator:
        registrations.pause(operator, "quiet")
    metrics = Metrics("ingest", CollectorRegistry())
    async with pool_of(database_url) as pool:
        clock = FixedClock(NOW)
        gauges = SourceGauges(pool, metrics, clock)
        await gauges.look()
        shown = metrics.exposition().decode()
        for line in (
            'crm_ingest_source_quarantined_ratio{source="web-shop"} 0.75',
            'crm_ingest_source_quarantined_ratio{source="other"} 0.25',
            'crm_ingest_source_quarantined_ratio{source="quiet"} 0.0',
            'crm_ingest_source_paused{reason="operator",source="quiet"} 1.0',
            'crm_ingest_source_paused{reason="fuse",source="quiet"} 0.0',
            'crm_ingest_source_paused{reason="operator",source="web-shop"} 0.0',
        ):
            assert line in shown
        assert "somebody" not in shown
        clock.at += timedelta(minutes=2)
        await gauges.look()
    assert 'crm_ingest_source_quarantined_ratio{source="web-shop"} 0.0' in metrics.exposition().decode()
