"""Sources and keys on a real PostgreSQL: what one process changes, the others know."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from services.ingest.adapters import postgres_registrations as registrations
from services.ingest.adapters.postgres_sources import PostgresSources, read_sources
from services.ingest.domain.keys import RANDOM_BYTES
from services.ingest.domain.registration import TooManyKeys
from services.ingest.domain.sources import Source, Strictness
from services.ingest.source_book import UNKNOWN_KEY, Authenticated, BookKeeper, SourceBook
from shared.runtime.clock import FixedClock, SystemClock
from shared.runtime.health import Health, Passed
from tests.integration.services.ingest import book_program
from tests.integration.services.ingest.sources import add, asked, away, changing, pool_of, revoke, rotate
from tests.integration.shared.runtime.programs import running

SHOP = Source("web-shop", "web", Strictness.STRICT, "DE", "Europe/Berlin", 500, 2000)
LAST_USE = "SELECT last_used_at FROM source_keys WHERE id = %s"


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresSources]:
    async with pool_of(database_url) as pool:
        yield PostgresSources(pool)


async def test_a_source_is_read_as_it_was_added(store: PostgresSources, database_url: str) -> None:
    key = add(database_url, SHOP)
    add(database_url, Source("plain", "server"))
    book = SourceBook(store, SystemClock())
    await book.refresh()
    assert book.source("web-shop") == SHOP
    assert book.source("plain") == Source("plain", "server")
    assert book.authenticate(key.text) == Authenticated(SHOP, key.id)
    with changing(database_url) as connection:
        assert read_sources(connection) == await store.read()


async def test_the_text_of_a_key_is_nowhere_in_the_database(database_url: str) -> None:
    key = add(database_url, SHOP)
    rows = asked(database_url, "SELECT string_agg(k::text, '') FROM source_keys AS k")
    assert key.hash.hex() in rows
    assert key.text.rpartition("_")[2] not in rows
    assert key.text.encode().hex() not in rows


async def test_a_name_is_taken_once(database_url: str) -> None:
    key = add(database_url, SHOP)
    with changing(database_url) as connection:
        assert registrations.add(connection, SHOP, bytes) is None
    assert asked(database_url, "SELECT id FROM source_keys") == key.id


async def test_a_key_id_that_is_taken_is_not_given_again(database_url: str) -> None:
    given = [b"\x00" * RANDOM_BYTES, b"\x00" * RANDOM_BYTES, b"\x01" * RANDOM_BYTES]
    with changing(database_url) as connection:
        first = registrations.add(connection, SHOP, lambda _size: given.pop(0))
        second = registrations.add(connection, Source("plain", "web"), lambda _size: given.pop(0))
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert given == []


async def test_while_keys_rotate_both_are_good_and_then_the_new_one(store: PostgresSources, database_url: str) -> None:
    old = add(database_url, SHOP)
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    new, rotated = rotate(database_url, "web-shop", ends_at)
    assert list(rotated.ending) == [old.id]
    clock = FixedClock(datetime.now(UTC))
    book = SourceBook(store, clock)
    await book.refresh()
    assert book.authenticate(old.text) == Authenticated(SHOP, old.id)
    assert book.authenticate(new.text) == Authenticated(SHOP, new.id)
    clock.at = ends_at
    assert book.authenticate(old.text) is UNKNOWN_KEY
    assert book.authenticate(new.text) == Authenticated(SHOP, new.id)


async def test_a_third_key_waits_until_one_has_ended_or_is_revoked(store: PostgresSources, database_url: str) -> None:
    first = add(database_url, SHOP)
    second, _ = rotate(database_url, "web-shop", datetime.now(UTC) + timedelta(hours=1))
    with changing(database_url) as connection:
        refused = registrations.rotate(connection, "web-shop", datetime.now(UTC), bytes)
    assert isinstance(refused, TooManyKeys)
    assert {key.id for key in refused.active} == {first.id, second.id}
    revoke(database_url, first.id)
    third, _ = rotate(database_url, "web-shop", datetime.now(UTC))  # the second ends at once
    assert set((await store.read()).keys) == {third.id}
    fourth, _ = rotate(database_url, "web-shop", datetime.now(UTC) + timedelta(hours=1))
    assert set((await store.read()).keys) == {third.id, fourth.id}


async def test_a_revoked_key_is_refused_by_another_process_within_five_seconds(
    database_url: str, tmp_path: Path
) -> None:
    key, other = add(database_url, SHOP), add(database_url, Source("plain", "web"))
    environment = {"CRM_DATABASE_URL": database_url, "CRM_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092"}
    output = tmp_path / "output"
    with running(Path(book_program.__file__), key.text, output=output, environment=environment) as process:
        await asyncio.to_thread(process.wait_for, '"taken": true')
        revoke(database_url, other.id)
        revoke(database_url, key.id)
        revoked_at = time.time()
        await asyncio.to_thread(process.wait_for, '"taken": false')
        taken, refused = process.lines()
    assert (taken["taken"], refused["taken"]) == (True, False)
    assert refused["at"] - revoked_at < 5


async def test_the_last_use_is_written_down_and_never_goes_back(store: PostgresSources, database_url: str) -> None:
    key, other = add(database_url, SHOP), add(database_url, Source("plain", "web"))
    now = datetime.now(UTC)
    clock = FixedClock(now)
    book = SourceBook(store, clock)
    book.used(key.id)
    await book.refresh()
    assert asked(database_url, LAST_USE, key.id) == now
    assert asked(database_url, LAST_USE, other.id) is None
    clock.at = now - timedelta(seconds=5)  # another process, which was held up
    book.used(key.id)
    book.used(other.id)
    await book.refresh()
    assert asked(database_url, LAST_USE, key.id) == now
    assert asked(database_url, LAST_USE, other.id) == clock.at


async def test_a_pause_is_seen_by_others_and_so_is_its_end(store: PostgresSources, database_url: str) -> None:
    add(database_url, SHOP)
    book = SourceBook(store, SystemClock())
    with changing(database_url) as connection:
        assert registrations.pause(connection, "web-shop") == (None, None)
    await book.refresh()
    assert book.source("web-shop").paused
    with changing(database_url) as connection:
        since, reason = registrations.pause(connection, "web-shop") or (None, None)
        assert since is not None
        assert reason == "operator"
        assert registrations.resume(connection, "web-shop") == (since, "operator")
        assert registrations.resume(connection, "web-shop") == (None, None)
        assert registrations.pause(connection, "elsewhere") is None
        assert registrations.resume(connection, "elsewhere") is None
    await book.refresh()
    assert book.source("web-shop") == SHOP


async def test_while_postgresql_is_away_what_was_known_stays_known(store: PostgresSources, database_url: str) -> None:
    key = add(database_url, SHOP)
    health = Health(("sources",))
    book = SourceBook(store, SystemClock())
    keeper = BookKeeper(book, health, SystemClock())
    await keeper.refresh()
    book.used(key.id)
    with away(database_url):
        await keeper.refresh()
        (told, _) = health.readiness().checks[:2]
        assert isinstance(told, Passed)
        assert told.note.startswith("PostgreSQL is away")
        assert book.authenticate(key.text) == Authenticated(SHOP, key.id)
        with pytest.raises(psycopg.OperationalError):
            asked(database_url, LAST_USE, key.id)
    while not (isinstance(told, Passed) and not told.note):
        await keeper.refresh()  # the pool connects anew in its own time
        (told, _) = health.readiness().checks[:2]
    assert asked(database_url, LAST_USE, key.id) is not None
