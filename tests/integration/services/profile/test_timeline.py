"""The timeline on a real PostgreSQL: by event time over all identities, page by page, whoever writes meanwhile."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from services.profile.adapters import postgres_lookup, postgres_timeline
from services.profile.answering import History, Timeline, history, timeline
from services.profile.cursors import Moment, moment
from shared.contracts.identities import identity_id
from shared.runtime.records import PlainRecord
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import SECRET, START, interaction, record

VIEWED: tuple[str, str, Any] = ("Product Viewed", "browse", {"product_id": "p"})
ORDERED: tuple[str, str, Any] = ("Order Completed", "order", {"order_id": "o"})
U1, U2 = ("user_id", "u-1"), ("user_id", "u-2")
MAIL, COOKIE = ("email", "eva@example.com"), ("anonymous_id", "an-1")


@pytest.fixture
def reading(database_url: str) -> Iterator[Connection]:
    options = "-c search_path=profile -c timezone=UTC -c enable_seqscan=off"
    with psycopg.connect(database_url, autocommit=True, options=options) as opened:
        yield opened


def event(number: int, *who: tuple[str, str], said: tuple[str, str, Any] = VIEWED, days: float = 0) -> PlainRecord:
    at = START - timedelta(days=days)
    return record(interaction(f"m-{number:04}", said, who, occurred_at=at, received_at=START))


def of(reading: Connection, who: str, most: int = 10_000, cursor: Moment | None = None, **asked: Any) -> Timeline:
    (customer,) = postgres_lookup.find(reading, who, SECRET)
    return timeline(reading, customer, most, cursor, **asked)


def ids(page: Timeline) -> list[str]:
    return [entry.message_id for entry in page.activities]


async def test_pages_one_after_the_other_are_the_whole_timeline_newest_first(
    connection: AsyncConnection, reading: Connection
) -> None:
    chance = random.Random(1)  # noqa: S311 - a seeded feed, not a secret
    people = [(U1, MAIL), (MAIL,), (COOKIE, U1), (U1,)]
    # Few different times, so that many tie, over several months, in any order of arrival.
    events = [event(n, *chance.choice(people), days=chance.choice([0, 0, 1, 40, 40, 90])) for n in range(120)]
    await commit(new_handler(), connection, events)
    whole = of(reading, "email:eva@example.com")
    times = [entry.occurred_at for entry in whole.activities]
    assert times == sorted(times, reverse=True)
    assert sorted(ids(whole)) == [f"m-{n:04}" for n in range(120)]
    assert whole.next is None
    for most in (1, 7, 119, 120):
        together, page = [], of(reading, "user_id:u-1", most)
        while True:
            together += ids(page)
            if page.next is None:
                break
            assert len(page.activities) == most
            page = of(reading, "user_id:u-1", most, moment(page.next))
        assert together == ids(whole)


async def test_what_comes_in_while_somebody_reads_page_by_page_moves_no_page(
    connection: AsyncConnection, reading: Connection
) -> None:
    chance, handler = random.Random(2), new_handler()  # noqa: S311 - as above
    await commit(handler, connection, [event(n, U1, days=chance.randrange(60)) for n in range(60)])
    before, added = ids(of(reading, "user_id:u-1")), 60
    together, page = [], of(reading, "user_id:u-1", 7)
    while True:
        together += ids(page)
        if page.next is None:
            break
        late = [event(added + n, *chance.choice([(U1,), (U1, MAIL)]), days=chance.randrange(60)) for n in range(5)]
        await commit(handler, connection, late)
        added += 5
        page = of(reading, "user_id:u-1", 7, moment(page.next))
    assert len(set(together)) == len(together)
    assert [one for one in together if one in before] == before
    assert len(together) < added


async def test_a_late_event_lands_where_it_belongs(connection: AsyncConnection, reading: Connection) -> None:
    await commit(new_handler(), connection, [event(1, U1, days=3), event(2, U1, days=1)])
    await commit(new_handler(), connection, [event(3, U1, days=2)])
    assert ids(of(reading, "user_id:u-1")) == ["m-0002", "m-0003", "m-0001"]


async def test_a_timeline_is_the_present_customers_through_a_merge_and_its_undoing(
    connection: AsyncConnection, reading: Connection
) -> None:
    handler = new_handler()
    await commit(handler, connection, [event(1, COOKIE, days=5), event(2, U1, days=4), event(3, U2, days=3)])
    assert ids(of(reading, "user_id:u-1")) == ["m-0002"]
    await commit(handler, connection, [event(4, COOKIE, U1, days=2)])
    merged = identity_id(SECRET, *U1)
    assert of(reading, "anonymous_id:an-1").customer_id == merged
    assert ids(of(reading, "anonymous_id:an-1")) == ["m-0004", "m-0002", "m-0001"]
    await commit(handler, connection, [event(5, COOKIE, U2, days=1)])
    assert ids(of(reading, "user_id:u-1")) == ["m-0004", "m-0002"]
    assert ids(of(reading, "user_id:u-2")) == ["m-0005", "m-0003", "m-0001"]


async def test_a_family_is_shown_alone_page_by_page(connection: AsyncConnection, reading: Connection) -> None:
    events = [event(n, U1, said=ORDERED if n % 5 == 0 else VIEWED, days=n) for n in range(30)]
    await commit(new_handler(), connection, events)
    page = of(reading, "user_id:u-1", 4, family="order")
    assert page.next is not None
    rest = of(reading, "user_id:u-1", 4, moment(page.next), family="order")
    assert [*ids(page), *ids(rest)] == [f"m-{n:04}" for n in range(0, 30, 5)]
    assert rest.next is None
    assert of(reading, "user_id:u-1", family="ticket").activities == []


async def test_a_page_is_read_by_the_index_in_every_month_also_in_a_new_one(
    connection: AsyncConnection, reading: Connection
) -> None:
    await commit(new_handler(), connection, [event(n, ("user_id", f"u-{n}"), days=n % 90) for n in range(600)])
    await connection.execute("SELECT make_timeline_months(ARRAY['2031-05-01']::date[])")
    await connection.commit()
    months = reading.execute(
        "SELECT count(*), count(*) FILTER (WHERE i.indexdef LIKE '%%(identity_id, occurred_at, key)%%') "
        "FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid LEFT JOIN pg_indexes i ON i.tablename = c.relname "
        "AND i.schemaname = 'profile' AND i.indexdef LIKE '%%identity_id%%' "
        "WHERE h.inhparent = 'profile.timeline'::regclass"
    ).fetchone()
    assert months is not None
    assert months[0] == months[1] > 1
    (customer,) = postgres_lookup.find(reading, "user_id:u-7", SECRET)
    before = _scans(reading)
    timeline(reading, customer, 50)
    assert _scans(reading) == before
    reading.execute("SELECT count(*) FROM timeline WHERE customer_version = 1")
    assert _scans(reading) != before


def _scans(reading: Connection) -> tuple[Any, ...] | None:
    reading.execute("SELECT pg_stat_force_next_flush()")
    query = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'timeline%'"
    return reading.execute(query).fetchone()


def told(reading: Connection, who: str, trait: str, most: int = 100, cursor: str | None = None) -> History:
    (customer,) = postgres_lookup.find(reading, who, SECRET)
    return history(reading, customer, trait, most, None if cursor is None else moment(cursor))


def says(number: int, who: tuple[str, str], days: int, **traits: Any) -> PlainRecord:
    return event(number, who, said=("Identify", "identify", {"traits": traits}), days=days)


async def test_every_value_of_a_trait_is_told_and_the_one_that_the_record_shows_counts(
    connection: AsyncConnection, reading: Connection
) -> None:
    handler = new_handler()
    said = [says(1, U1, 3, city="Wien"), says(2, MAIL, 1, city="Graz"), says(3, U1, 2, plan="pro"), event(4, U1, MAIL)]
    await commit(handler, connection, said)
    found = told(reading, "user_id:u-1", "city")
    assert [(bytes(one.value), one.counts) for one in found.said] == [(b'"Graz"', True), (b'"Wien"', False)]
    assert [one.identity_id for one in found.said] == [identity_id(SECRET, *who) for who in (MAIL, U1)]
    assert found.said[1].why == "Something was said later."
    await commit(handler, connection, [says(5, U1, 0, city=None)])
    newest = told(reading, "user_id:u-1", "city", 1).said
    assert [(bytes(one.value), one.counts) for one in newest] == [(b"null", True)]
    assert told(reading, "user_id:u-1", "nothing").said == []


async def test_values_of_a_trait_are_found_behind_many_others(connection: AsyncConnection, reading: Connection) -> None:
    said = [says(n, U1, 1, plan=n) for n in range(1100)]
    await commit(new_handler(), connection, [says(2000, U1, 9, city="Wien"), *said])
    assert [bytes(one.value) for one in told(reading, "user_id:u-1", "city").said] == [b'"Wien"']


async def test_one_answer_looks_at_so_many_events_says_so_and_goes_on_where_it_ended(
    connection: AsyncConnection, reading: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_timeline, "MOST_LOOKED_AT", 600)
    said = [says(n, U1, 1, plan=n) for n in range(1100)]
    await commit(new_handler(), connection, [says(2000, U1, 9, city="Wien"), *said])
    first = told(reading, "user_id:u-1", "city")
    assert (first.said, first.looked_at) == ([], 600)
    assert first.next is not None
    rest = told(reading, "user_id:u-1", "city", cursor=first.next)
    assert ([bytes(one.value) for one in rest.said], rest.looked_at, rest.next) == ([b'"Wien"'], 501, None)


async def test_values_of_a_trait_are_read_page_by_page(connection: AsyncConnection, reading: Connection) -> None:
    await commit(new_handler(), connection, [says(n, U1, n, plan=n) for n in range(7)])
    values, page = [], told(reading, "user_id:u-1", "plan", 3)
    while True:
        values += [int(bytes(one.value)) for one in page.said]
        if page.next is None:
            break
        page = told(reading, "user_id:u-1", "plan", 3, page.next)
    assert values == list(range(7))
    assert told(reading, "user_id:u-1", "plan", 7).next is None
