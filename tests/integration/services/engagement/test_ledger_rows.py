"""What the ledger's rows promise beyond one mail: rendered again alike, never overtaken, counted as they are."""

from datetime import timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from services.engagement.adapters.postgres_announcements import AnnouncementMissingError, PostgresOutlet
from services.engagement.adapters.postgres_messages import PostgresLedger
from services.engagement.adapters.postgres_totals import count
from services.engagement.domain.ledger import claim, give_up_for_lost
from services.engagement.gauges import Gauges
from services.engagement.handlers import publications
from shared.contracts.topics import OUTREACH
from shared.runtime.errors import StaleStateError
from shared.runtime.metrics import Metrics
from tests.integration.services.engagement.world import LANES, World
from tests.unit.services.engagement.records import NOON, WITHDRAWN, change, customer, record


async def test_what_was_announced_is_rendered_again_byte_by_byte(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change(), change(2, sequence=3, accepted_at=None))
    async with owner.transactions.begin(LANES) as transaction:
        ledger = PostgresLedger(world.pool)
        waiting = await ledger.take(transaction.connection, LANES, NOON, 9)
        claimed = [claim(entry, "example.com", NOON) for entry in waiting.entries]
        assert await ledger.write(transaction.connection, claimed) == []
        given_up = publications(
            await ledger.write(transaction.connection, [give_up_for_lost(one, NOON) for one in claimed])
        )
    keys = [publication.key for publication in given_up]
    async with world.pool.connection() as connection:
        rendered = await PostgresOutlet().render(connection, OUTREACH.name, [*keys, *keys])
    assert rendered == [publication.message for publication in given_up] * 2


async def test_an_announcement_that_is_gone_stops_the_outlet_with_its_name(world: World) -> None:
    async with world.pool.connection() as connection:
        with pytest.raises(AnnouncementMissingError, match=r"gone-1.*restore"):
            await PostgresOutlet().render(connection, OUTREACH.name, [b"gone-1"])


async def test_two_steps_from_the_same_revision_cannot_both_be_written(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    ledger = PostgresLedger(world.pool)
    async with owner.transactions.begin(LANES) as transaction:
        (entry,) = (await ledger.take(transaction.connection, LANES, NOON, 9)).entries
        await ledger.write(transaction.connection, [claim(entry, "example.com", NOON)])
        with pytest.raises(StaleStateError):
            await ledger.write(transaction.connection, [claim(entry, "example.com", NOON)])


async def test_a_withdrawal_cannot_be_committed_between_the_question_and_the_answer(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    async with owner.transactions.begin(LANES) as transaction:
        waiting = await PostgresLedger(world.pool).take(transaction.connection, LANES, NOON, 9)
        assert len(waiting.contacts) == 1
        async with world.pool.connection() as other:
            await other.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await other.execute("UPDATE customers SET record = NULL")
            await other.rollback()


async def test_one_occurrence_has_one_row_whatever_the_address(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record()), change())
    copied = """
        INSERT INTO messages
        SELECT (changed).* FROM (SELECT jsonb_populate_record(m, '{"key": "other"}') AS changed FROM messages m)
    """
    async with world.pool.connection() as connection:
        with pytest.raises(psycopg.errors.UniqueViolation, match="messages_once_an_occurrence"):
            await connection.execute(copied)
        await connection.rollback()


async def test_gauges_and_counters_reconcile_with_the_rows(world: World) -> None:
    owner = await world.owner()
    registry = CollectorRegistry()
    gauges = Gauges(Metrics("engagement", registry))

    async def shown() -> dict[str, float]:
        gauges.show(await count(world.pool, owner.claims.lanes), owner.claims.lanes, NOON)
        names = ("crm_outreach_messages", "crm_outreach_skipped", "crm_outreach_triggers_parked")
        found = {}
        for family in registry.collect():
            for sample in family.samples:
                if family.name in names and sample.value:
                    labels = [value for name, value in sample.labels.items() if name != "channel"]
                    found[":".join((sample.name, *labels))] = sample.value
        return found

    await world.read(owner, customer(record(3, consent=WITHDRAWN)), change(3))
    assert await shown() == {}  # what was skipped before we came was counted by whoever skipped it
    people = [customer(record(1)), customer(record(2)), customer(record(4, consent=None))]
    await world.read(owner, *people, *(change(n) for n in (1, 2, 4)), change(5), change(3, sequence=2))
    await shown()
    await owner.sender.round()
    await world.read(owner, customer(record(5), number=5), change(6))
    assert await shown() == {
        "crm_outreach_messages:accepted": 2,
        "crm_outreach_messages:planned": 1,
        "crm_outreach_skipped_total:no_consent": 1,
        "crm_outreach_skipped_total:consent_withdrawn": 1,
        "crm_outreach_triggers_parked": 1,
    }


async def test_how_long_messages_stand_in_a_state_is_seen(world: World) -> None:
    owner = await world.owner()
    registry = CollectorRegistry()
    gauges = Gauges(Metrics("engagement", registry))

    async def oldest(state: str, seconds: int) -> float | None:
        now = NOON + timedelta(seconds=seconds)
        gauges.show(await count(world.pool, owner.claims.lanes), owner.claims.lanes, now)
        labels = {"channel": "email", "state": state}
        return registry.get_sample_value("crm_outreach_state_oldest_seconds", labels)

    assert await oldest("planned", 90) == 0
    await world.read(owner, customer(record(1)), customer(record(2)), change(1))
    world.clock.at += timedelta(seconds=60)
    await world.read(owner, change(2))
    assert await oldest("planned", 90) == 90
    await owner.sender.round()
    assert await oldest("planned", 90) == 0
    assert await oldest("accepted", 90) == 30
