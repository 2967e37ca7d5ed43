"""The fold on a real PostgreSQL: equal to the oracle, each event once, versions checked, months made when needed."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.record import portray, render
from services.profile.domain.state import load
from services.profile.handlers import ProfileHandler
from services.profile.state_cache import StateCache
from shared.contracts.codec import decode
from shared.contracts.interactions import Interaction
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import Failpoints, NullFailpoints, Point
from shared.runtime.handler import APPLIED, DUPLICATE
from shared.runtime.records import PlainRecord
from shared.runtime.roles import ensure_role
from tests import oracle
from tests.integration.services.profile.conftest import OPTIONS
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.customer_book import CustomerBook
from tests.unit.services.profile.identity_book import everything
from tests.unit.services.profile.in_memory import apply, read_all

VIEWED = ("Product Viewed", "browse", {"product_id": "p"})


def new_handler(cached: int = 100, failpoints: Failpoints | None = None) -> ProfileHandler:
    store = PostgresCustomers(failpoints or NullFailpoints())
    return ProfileHandler(store, StateCache(cached), 4, IdentityRules())


def feed(seed: int, count: int) -> list[PlainRecord]:
    """Make events of a few dozen customers over two years, every kind among them."""
    chance = random.Random(seed)  # noqa: S311 - a seeded feed, not a secret
    said: list[tuple[str, str, Any]] = [
        VIEWED,
        ("Consent Given", "consent", {"purpose": "marketing", "channel": "email"}),
        ("Unsubscribed", "consent", {}),
    ]
    events = []
    for number in range(count):
        person = chance.randrange(40)
        amount = f"{chance.randrange(100_000)}.{chance.randrange(100):02}"
        order = ("Order Completed", "order", {"total": {"amount": amount, "currency": chance.choice(["EUR", "USD"])}})
        traits = ("Identify", "identify", {"traits": {"city": chance.choice(["Wien", "Graz", None]), "n": number}})
        known = [("user_id", f"u-{person}"), ("anonymous_id", f"an-{number % 60}")]
        at = START - timedelta(days=chance.randrange(730), seconds=chance.randrange(3))
        event = interaction(
            f"m-{number}",
            chance.choice([order, order, traits, *said]),
            known if chance.random() < 0.7 else known[1:],
            occurred_at=at,
            received_at=at,
        )
        events.append(record(_keyed(event, at), offset=number))
    return events


def _keyed(event: Interaction, at: datetime) -> Interaction:
    """Give an event the key of its own time, so that it lies in that month."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return Interaction(**{**fields, "dedupe_key": f"{int(at.timestamp() * 1000):012x}{event.dedupe_key[12:]}"})


async def stored(connection: AsyncConnection) -> dict[str, Any]:
    """Render every customer in the table."""
    cursor = await connection.execute(
        """SELECT replace(id::text, '-', ''), doc FROM identities WHERE root IS NULL AND doc IS NOT NULL
        UNION ALL SELECT replace(root::text, '-', ''), joined FROM customers"""
    )
    states = {customer: load(document) for customer, document in await cursor.fetchall()}
    return {
        customer: json.loads(render(customer, state, portray(state, None)), parse_float=Decimal)
        for customer, state in states.items()
    }


def whose(events: Sequence[PlainRecord]) -> dict[str, str]:
    """Tell whose each identity is, by the model."""
    book = CustomerBook(IdentityRules())
    book.take([event_of(decode(Interaction, event.value or b"")) for event in events])
    found = everything(book.graph.nodes, book.graph.links, book.graph.rules).components
    return {node.id: component.members[0].id for component in found for node in component.members}


async def commit(handler: ProfileHandler, connection: AsyncConnection, batch: Sequence[PlainRecord]) -> Any:
    """Apply a batch in a transaction of its own."""
    async with connection.transaction():
        return await apply(handler, batch, connection)


@pytest.mark.parametrize("cached", [0, 10, 1000])
async def test_shuffled_repeated_and_cut_at_random_the_tables_equal_the_oracle(
    connection: AsyncConnection, cached: int
) -> None:
    chance, events = random.Random(cached), feed(cached, 600)  # noqa: S311 - as above
    repeated = [*events, *chance.sample(events, 200)]
    chance.shuffle(repeated)
    handler, applied, duplicates = new_handler(cached), 0, 0
    while repeated:
        size = chance.choice([1, 7, 150])
        batch, repeated = repeated[:size], repeated[size:]
        outcomes, _ = await commit(handler, connection, batch)
        applied += outcomes.count(APPLIED)
        duplicates += outcomes.count(DUPLICATE)
    assert (applied, duplicates) == (600, 200)
    assert await stored(connection) == oracle.fold((event.value or b"" for event in events), whose(events))
    cursor = await connection.execute("SELECT message_id FROM timeline")
    assert sorted(await cursor.fetchall()) == sorted((f"m-{number}",) for number in range(600))


async def test_everything_again_by_a_new_worker_is_all_duplicates(connection: AsyncConnection) -> None:
    events = feed(1, 100)
    await commit(new_handler(), connection, events)
    outcomes, published = await commit(new_handler(), connection, events)
    assert (set(outcomes), list(published)) == ({DUPLICATE}, [])


async def test_a_batch_that_was_rolled_back_can_be_applied_after_all(connection: AsyncConnection) -> None:
    handler, events = new_handler(), feed(2, 50)
    await apply(handler, events, connection)
    await connection.rollback()
    handler.forget()
    outcomes, _ = await commit(handler, connection, events)
    assert set(outcomes) == {APPLIED}
    assert await stored(connection) == oracle.fold((event.value or b"" for event in events), whose(events))


async def test_an_update_of_a_customer_that_somebody_else_moved_on_is_refused(connection: AsyncConnection) -> None:
    ours, theirs = new_handler(), new_handler()
    for handler, message in (ours, "m-1"), (theirs, "m-2"):
        await commit(handler, connection, [record(interaction(message, VIEWED))])
    with pytest.raises(StaleStateError):
        await commit(ours, connection, [record(interaction("m-3", VIEWED))])
    ours.forget()
    await commit(ours, connection, [record(interaction("m-3", VIEWED))])
    cursor = await connection.execute("SELECT version FROM identities")
    assert await cursor.fetchall() == [(3,)]


async def test_two_workers_that_both_begin_a_customer_do_not_both_succeed(
    connection: AsyncConnection, database_url: str
) -> None:
    ours = new_handler()
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as second:
        batch = read_all(ours, [record(interaction("m-1", VIEWED))])
        async with second.transaction():
            loaded = await ours.load(second, ours.keys(batch, ()))
        await commit(new_handler(), connection, [record(interaction("m-2", VIEWED))])
        decision = ours.decide(batch, (), loaded, datetime.now(UTC))
        with pytest.raises(StaleStateError):
            async with second.transaction():
                await ours.save(second, decision.rows)


async def test_two_workers_with_the_same_event_do_not_both_succeed(
    connection: AsyncConnection, database_url: str
) -> None:
    ours, event = new_handler(), record(interaction("m-1", VIEWED))
    async with await AsyncConnection.connect(database_url, options=OPTIONS) as second:
        batch = read_all(ours, [event])
        async with second.transaction():
            loaded = await ours.load(second, ours.keys(batch, ()))
        decision = ours.decide(batch, (), loaded, datetime.now(UTC))
        await commit(new_handler(), connection, [event])
        # Somebody removed the customer in between, so only the timeline's own key is left to tell.
        await connection.execute("DELETE FROM identities")
        await connection.commit()
        with pytest.raises(StaleStateError, match="timeline"):
            async with second.transaction():
                await ours.save(second, decision.rows)


async def test_each_event_lies_in_the_partition_of_its_month(connection: AsyncConnection) -> None:
    events = feed(3, 80)
    await commit(new_handler(), connection, events)
    cursor = await connection.execute(
        "SELECT tableoid::regclass::text, to_char(occurred_at, 'YYYY_MM') FROM timeline GROUP BY 1, 2"
    )
    found = await cursor.fetchall()
    assert len(found) > 12
    assert all(partition == f"timeline_{month}" for partition, month in found)


async def test_a_months_first_and_last_millisecond_have_a_partition(connection: AsyncConnection) -> None:
    border = datetime(2026, 3, 1, tzinfo=UTC)
    for number, at in enumerate((border - timedelta(milliseconds=1), border)):
        await commit(
            new_handler(), connection, [record(_keyed(interaction(f"m-{number}", VIEWED, received_at=at), at))]
        )
    cursor = await connection.execute("SELECT tableoid::regclass::text FROM timeline ORDER BY key")
    assert await cursor.fetchall() == [("timeline_2026_02",), ("timeline_2026_03",)]


async def test_the_services_own_role_makes_months_and_no_other_table(
    connection: AsyncConnection, database_url: str
) -> None:
    with psycopg.connect(database_url) as owner:
        ensure_role(owner, "profile", "a-password-of-this-test")
    own = psycopg.conninfo.make_conninfo(database_url, user="crm_profile", password="a-password-of-this-test")
    async with await AsyncConnection.connect(own, options=OPTIONS) as restricted:
        outcomes, _ = await commit(new_handler(), restricted, feed(4, 30))
        assert set(outcomes) == {APPLIED}
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await restricted.execute("CREATE TABLE mine ()")
    assert len(await stored(connection)) > 5


async def test_a_month_is_made_while_others_write_to_the_timeline(
    connection: AsyncConnection, database_url: str
) -> None:
    late = START + timedelta(days=90)
    first, second = (record(_keyed(interaction(f"m-{number}", VIEWED), START)) for number in (1, 2))
    third = record(_keyed(interaction("m-3", VIEWED, [("user_id", "u-9")], received_at=late), late))
    await commit(new_handler(), connection, [first])
    async with (
        await AsyncConnection.connect(database_url, options=f"{OPTIONS} -c lock_timeout=2s") as other,
        connection.transaction(),
    ):
        await apply(new_handler(), [second], connection)
        assert (await commit(new_handler(), other, [third]))[0] == [APPLIED]


async def test_updates_touch_no_index(connection: AsyncConnection) -> None:
    handler = new_handler(1000)
    people = [[("user_id", f"u-{number}")] for number in range(400)]
    await commit(handler, connection, [record(interaction(f"m-{who}", VIEWED, who)) for who in people])
    await commit(handler, connection, [record(interaction(f"n-{who}", VIEWED, who)) for who in people[::4]])
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.commit()
    cursor = await connection.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'identities'"
    )
    assert await cursor.fetchall() == [(100, 100)]


class WatchingFailpoints:
    """Looks from another connection at which COPY is open whenever a point is passed."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self.seen: list[tuple[Point, list[Any]]] = []

    def hit(self, point: Point) -> None:
        with psycopg.connect(self._database_url) as other:
            copies = other.execute("SELECT command, type, relid::regclass::text FROM pg_stat_progress_copy").fetchall()
        self.seen.append((point, copies))


async def test_the_failpoint_in_copy_lies_inside_an_open_copy_of_the_timeline(
    connection: AsyncConnection, database_url: str
) -> None:
    watching = WatchingFailpoints(database_url)
    await commit(new_handler(failpoints=watching), connection, feed(5, 40))
    assert watching.seen == [("in_copy", [("COPY FROM", "PIPE", "profile.timeline")])]
