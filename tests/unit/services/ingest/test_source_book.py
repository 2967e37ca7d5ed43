"""The book of sources: what a process knows between two looks into PostgreSQL."""

from datetime import timedelta

import psycopg
import pytest

from services.ingest.domain.keys import RANDOM_BYTES, StoredKey, make
from services.ingest.domain.sources import Source
from services.ingest.ports import Snapshot
from services.ingest.source_book import UNKNOWN_KEY, Authenticated, BookKeeper, SourceBook
from shared.runtime.clock import FixedClock
from shared.runtime.health import Health, Passed
from tests.unit.services.ingest.memory_sources import InMemorySources
from tests.unit.services.ingest.records import APPENDED as NOW

SHOP = Source("web-shop", "web", region="DE", paused=True)
KEY = make(bytes(RANDOM_BYTES))
STRANGER = make(b"\x01" * RANDOM_BYTES)
STORED = StoredKey(KEY.id, "web-shop", KEY.hash, NOW + timedelta(hours=1))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def store() -> InMemorySources:
    return InMemorySources(Snapshot({"web-shop": SHOP}, {KEY.id: STORED}))


@pytest.fixture
async def book(store: InMemorySources, clock: FixedClock) -> SourceBook:
    made = SourceBook(store, clock)
    await made.refresh()
    return made


def conditions(health: Health) -> dict[str, tuple[bool, str]]:
    return {
        check.name: (True, check.note) if isinstance(check, Passed) else (False, check.reason)
        for check in health.readiness().checks
    }


async def test_a_source_is_known_by_its_name(book: SourceBook) -> None:
    assert book.source("web-shop") is SHOP
    assert book.source("elsewhere") == Source.unregistered("elsewhere")


async def test_a_good_key_names_its_source_a_paused_one_too(book: SourceBook) -> None:
    assert book.authenticate(KEY.text) == Authenticated(SHOP, KEY.id)


async def test_any_other_text_is_no_key(book: SourceBook) -> None:
    forged = KEY.text[:-1] + ("A" if KEY.text[-1] != "A" else "B")
    for text in ("", "web-shop", STRANGER.text, forged):
        assert book.authenticate(text) is UNKNOWN_KEY


async def test_a_key_ends_at_its_time_without_a_look_at_the_table(book: SourceBook, clock: FixedClock) -> None:
    clock.at += timedelta(hours=1)
    assert book.authenticate(KEY.text) is UNKNOWN_KEY


async def test_what_changed_is_known_after_a_refresh(book: SourceBook, store: InMemorySources) -> None:
    store.snapshot = Snapshot({}, {})
    assert book.authenticate(KEY.text) == Authenticated(SHOP, KEY.id)
    await book.refresh()
    assert book.authenticate(KEY.text) is UNKNOWN_KEY
    assert not book.source("web-shop").is_registered


async def test_a_snapshot_that_was_read_before_is_good_at_once(store: InMemorySources, clock: FixedClock) -> None:
    book = SourceBook(store, clock, store.snapshot)
    assert book.source("web-shop") is SHOP
    assert book.read_at == NOW


async def test_uses_are_written_down_once(book: SourceBook, store: InMemorySources, clock: FixedClock) -> None:
    book.used(KEY.id)
    clock.at += timedelta(seconds=1)
    book.used(KEY.id)
    await book.refresh()
    await book.refresh()
    assert store.uses == [{KEY.id: NOW + timedelta(seconds=1)}]


@pytest.mark.parametrize("question", ["refusal", "use_refusal"])
async def test_uses_that_could_not_be_written_are_written_the_next_time(
    book: SourceBook, store: InMemorySources, clock: FixedClock, question: str
) -> None:
    book.used(KEY.id)
    setattr(store, question, psycopg.OperationalError("away"))
    with pytest.raises(psycopg.OperationalError):
        await book.refresh()
    setattr(store, question, None)
    clock.at += timedelta(seconds=3)
    await book.refresh()
    assert store.uses == [{KEY.id: NOW}]


async def test_a_use_during_a_write_that_fails_is_newer_than_the_one_that_was_written(
    book: SourceBook, store: InMemorySources, clock: FixedClock
) -> None:
    def used_meanwhile() -> None:
        clock.at = NOW + timedelta(seconds=1)
        book.used(KEY.id)

    book.used(KEY.id)
    store.meanwhile, store.use_refusal = used_meanwhile, psycopg.OperationalError("away")
    with pytest.raises(psycopg.OperationalError):
        await book.refresh()
    store.meanwhile, store.use_refusal = (lambda: None), None
    await book.refresh()
    assert store.uses == [{KEY.id: NOW + timedelta(seconds=1)}]


async def test_a_database_that_is_away_leaves_the_book_as_it_was_and_readiness_says_so(
    book: SourceBook, store: InMemorySources, clock: FixedClock
) -> None:
    health = Health(("sources",))
    keeper = BookKeeper(book, health, clock)
    store.refusal = psycopg.OperationalError("away")
    clock.at += timedelta(seconds=7)
    await keeper.refresh()
    assert book.authenticate(KEY.text) == Authenticated(SHOP, KEY.id)
    note = "PostgreSQL is away: sources and keys are as they were 7 s ago"
    assert conditions(health)["sources"] == (True, note)
    assert note.encode() in health.readiness().to_json()
    store.refusal = None
    await keeper.refresh()
    assert conditions(health)["sources"] == (True, "")
    assert b"note" not in health.readiness().to_json()


async def test_a_process_that_never_saw_a_source_is_not_ready(store: InMemorySources, clock: FixedClock) -> None:
    health = Health(("sources",))
    store.refusal = psycopg.OperationalError("away")
    await BookKeeper(SourceBook(store, clock), health, clock).refresh()
    assert conditions(health)["sources"] == (False, "sources and keys could not be read yet")


async def test_an_answer_that_never_comes_does_not_hold_up_the_next_question(
    book: SourceBook, store: InMemorySources, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.source_book.DEADLINE_SECONDS", 0.01)
    health = Health(("sources",))
    store.hangs = True
    await BookKeeper(book, health, clock).refresh()
    assert conditions(health)["sources"][1].startswith("PostgreSQL is away")


async def test_a_table_that_is_missing_is_not_waited_for(
    book: SourceBook, store: InMemorySources, clock: FixedClock
) -> None:
    store.refusal = psycopg.errors.UndefinedTable("sources")
    with pytest.raises(psycopg.errors.UndefinedTable):
        await BookKeeper(book, Health(("sources",)), clock).refresh()
