"""Decisions racing events and each other on a real PostgreSQL: the tables hold what the set of both says."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_decisions import read_rulings
from services.profile.domain.decisions import DECISION, Decision, Kind
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.months import split_by_month
from services.profile.handlers import ProfileHandler
from shared.contracts.interactions import Interaction
from shared.runtime.arrays import uuids
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Decision as Decided
from shared.runtime.handler import Publication, SetDue
from shared.runtime.records import DueInstant
from tests.integration.services.profile.test_who_is_who import TABLES, customers_of, rendered, second
from tests.property.services.profile.crowds import crowd
from tests.property.services.profile.deeds import deed
from tests.property.services.profile.histories import rules_of
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.customer_book import CustomerBook
from tests.unit.services.profile.in_memory import new_handler, read_all
from tests.unit.services.profile.topic_reader import CustomersRead

__all__ = ["second"]

Worker = tuple[ProfileHandler, AsyncConnection]

HISTORIES = 20
_INSERT = """
    INSERT INTO decisions (id, decided_at, who, why, kind, identities, undoes, preview)
    VALUES (%s::uuid, %s, 'test', '', %s, %s, %s::uuid, '{}')
"""


class Job(msgspec.Struct, frozen=True):
    """What one transaction takes: events, or what the clock brings."""

    events: Sequence[Interaction] = ()
    keys: Sequence[str] = ()


class Lives:
    """Two workers, and what came of their transactions."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = list(workers)
        self.topic = CustomersRead()
        self.waiting: set[str] = set()
        self.stale = 0

    async def decided(self, worker: Worker, job: Job) -> Decided[Any]:
        """Read and decide, without writing."""
        handler, connection = worker
        events = read_all(handler, [record(one) for one in job.events])
        due = [DueInstant(0, key, START) for key in job.keys]
        loaded = await handler.load(connection, handler.keys(events, due))
        return handler.decide(events, due, loaded, datetime.now(UTC))

    async def commit(self, worker: Worker, job: Job) -> Decided[Any]:
        """Do a job as the runtime does: what is stale is redone on what is there now."""
        for _ in range(2):
            try:
                async with worker[1].transaction():
                    decision = await self.decided(worker, job)
                    await worker[0].save(worker[1], decision.rows)
            except StaleStateError:
                worker[0].forget()
            else:
                return decision
        raise AssertionError("a job was stale twice with nobody else at work")

    async def race(self, ours: Worker, theirs: Worker, jobs: Sequence[Job]) -> None:
        """Let one worker commit between the other's reading and its writing."""
        done: list[Decided[Any]] = []
        try:
            async with ours[1].transaction():
                decision = await self.decided(ours, jobs[0])
                done.append(await self.commit(theirs, jobs[1]))
                await ours[0].save(ours[1], decision.rows)
            done.append(decision)
        except StaleStateError:
            ours[0].forget()
            self.stale += 1
            mine = await self.commit(ours, jobs[0])
            # What we remembered may be too old even to read with: then they had no turn yet.
            done = [*done, mine] if done else [mine, await self.commit(theirs, jobs[1])]
        for one in done:
            self.hear(one)

    def hear(self, decision: Decided[Any]) -> None:
        """Note what was published and what the clock is to bring."""
        published: Sequence[Publication] = decision.publications
        self.topic.take(published)
        self.waiting |= {one.key for one in decision.due if isinstance(one, SetDue)}


async def decide(connection: AsyncConnection, decision: Decision) -> None:
    """Write a decision down."""
    about = uuids([bytes.fromhex(one) for one in decision.identities])
    values = decision.id, decision.decided_at, decision.kind.value, about, decision.undoes
    await connection.execute(_INSERT, values)
    await connection.commit()


async def live(seed: int, connections: Sequence[AsyncConnection]) -> int:
    """Live through one history and compare; returns how often a worker came too late."""
    chance = random.Random(seed)  # noqa: S311 - a seeded history
    rules = rules_of(chance.choice([2, 3, 5, 100]), chance.choice(list(DeviceFollows)), chance.randint(1, 3))
    cached, at_once, said = chance.choice([0, 3, 1000]), chance.choice([2, 2000]), crowd(chance)
    stores = [PostgresCustomers(NullFailpoints()) for _ in connections]
    lives = Lives(
        [(new_handler(store, cached, rules, at_once), one) for store, one in zip(stores, connections, strict=True)]
    )
    connection = connections[0]
    again = [*said, *chance.sample(said, len(said) // 3)]
    chance.shuffle(again)
    decisions: list[Decision] = []
    while again or lives.waiting:
        cursor = await connection.execute("SELECT replace(id::text, '-', '') FROM identities ORDER BY id")
        known = [name for (name,) in await cursor.fetchall()]
        await connection.commit()
        jobs = []
        for _ in range(2):
            if len(known) > 3 and chance.random() < 0.4:
                made = deed(chance, known, decisions)
                decisions.append(made)
                await decide(connection, made)
                jobs.append(Job(keys=[DECISION + made.id]))
            elif lives.waiting and chance.random() < 0.3:
                jobs.append(Job(keys=sorted(lives.waiting)))
                lives.waiting.clear()
            else:
                size = chance.choice([0, 1, 2, 5, 20])
                jobs.append(Job(again[:size]))
                again = again[size:]
        chance.shuffle(lives.workers)
        await lives.race(lives.workers[0], lives.workers[1], jobs)
    await compare(connection, lives.topic, rules, said, decisions)
    return lives.stale


async def compare(
    connection: AsyncConnection,
    topic: CustomersRead,
    rules: IdentityRules,
    said: Sequence[Interaction],
    decisions: Sequence[Decision],
) -> None:
    """Compare tables, topic and outlet with the model of the set of events and decisions."""
    book = CustomerBook(rules)
    book.take([event_of(one) for one in said])
    rulings = {mark.message_id: (mark, ruling) for mark, ruling in await read_rulings(connection)}
    for decision in decisions:
        book.rule(*rulings[decision.id])
    assert await customers_of(connection) == book.records()
    assert topic.records() == book.records()
    for key, message in (await rendered(connection, topic)).items():
        version, last = topic.last[key]
        assert (message.value, dict(message.headers)["ce_version"]) == (last.value, b"%d" % version), key
    cursor = await connection.execute("SELECT count(*) FROM regions WHERE untangle_due IS NOT NULL")
    assert await cursor.fetchall() == [(0,)]


async def test_decisions_racing_events_and_each_other_end_as_the_model(
    connection: AsyncConnection, second: AsyncConnection
) -> None:
    await make_months(connection)
    stale = 0
    for seed in range(HISTORIES):
        try:
            stale += await live(seed, (connection, second))
        except AssertionError as error:
            error.add_note(f"history {seed}")
            raise
        await connection.execute(f"TRUNCATE {TABLES}")
        await connection.commit()
    assert stale > HISTORIES / 4, "hardly anybody raced"


async def make_months(connection: AsyncConnection) -> None:
    """Make the timeline's months, so that nobody waits for who makes one."""
    months = split_by_month([event_of(one).key for one in crowd(random.Random(1))])  # noqa: S311 - any history's
    async with connection.transaction():
        await PostgresCustomers(NullFailpoints()).hashes(connection, months)


async def test_two_who_are_let_in_again_at_once_find_each_other(
    connection: AsyncConnection, second: AsyncConnection
) -> None:
    """Each is decided on what the other was: only a customer's own version tells the second that it came too late."""
    await make_months(connection)
    rules, said = IdentityRules(), [interaction("m-1", ("Product Viewed", "browse", {}), PAIR)]
    lives = Lives([(new_handler(PostgresCustomers(NullFailpoints()), 0, rules), one) for one in (connection, second)])
    ours, theirs = lives.workers
    await lives.commit(ours, Job(said))
    made = []
    for number, (kind, ref) in enumerate((kind, one) for kind in _BLOCKS for one in said[0].identities):
        one = Decision(f"{number:032x}", START + timedelta(minutes=number), kind, (ref.id,))
        made.append(one)
        await decide(connection, one)
    jobs = [Job(keys=[DECISION + one.id]) for one in made]
    for job in jobs[:2]:
        lives.hear(await lives.commit(ours, job))
    assert len(await customers_of(connection)) == 1
    await connection.commit()
    await lives.race(ours, theirs, jobs[2:])
    assert lives.stale == 1
    cursor = await connection.execute("SELECT count(DISTINCT coalesce(root, id)) FROM identities")
    assert await cursor.fetchall() == [(1,)]


PAIR = (("user_id", "u-1"), ("email", "eva@example.com"))
_BLOCKS = (Kind.BLOCK, Kind.UNBLOCK)
