"""Engagement without Kafka: batches applied as the runtime applies them, and as many senders as a test wants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.engagement.adapters.postgres_book import PostgresBook
from services.engagement.adapters.postgres_messages import PostgresLedger
from services.engagement.adapters.smtp import SmtpMailer, SmtpServer
from services.engagement.decoding import Event
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import address_hash
from services.engagement.domain.ledger import RetryPolicy
from services.engagement.handlers import EngagementHandler, Planning
from services.engagement.sending import Pace, Sender
from shared.runtime import due
from shared.runtime.clock import FixedClock
from shared.runtime.failpoints import Failpoints, NullFailpoints
from shared.runtime.handler import Outcome
from shared.runtime.lanes import Claims, claim
from shared.runtime.records import DueInstant, Poison, Received, Record
from shared.runtime.transaction import Transaction, Transactions
from tests.unit.services.engagement.records import NOON, SECRET, campaign

LANES = (0, 1, 2, 3)
GROUP = "crm-engagement"


@dataclass
class Owner:
    """One worker: its claims, and a sender with connections of its own."""

    claims: Claims
    transactions: Transactions
    mailer: SmtpMailer
    sender: Sender
    latencies: list[datetime]


@dataclass
class World:
    """A database with engagement's schema, a mail server's port and a clock."""

    pool: AsyncConnectionPool[AsyncConnection]
    smtp_port: int
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOON))
    campaigns: Mapping[str, Campaign] = field(default_factory=lambda: {"welcome-back": campaign()})
    batch: int = 200
    owners: list[Owner] = field(default_factory=list)

    @property
    def planning(self) -> Planning:
        return Planning(self.campaigns, partial(address_hash, SECRET))

    async def owner(self, lanes: Sequence[int] = LANES, *, failpoints: Failpoints | None = None) -> Owner:
        """Start a worker that takes these lanes over from whoever had them."""
        claims = Claims(GROUP)
        transactions = Transactions(self.pool, claims, failpoints or NullFailpoints())
        mailer = SmtpMailer(SmtpServer("127.0.0.1", self.smtp_port), connections=2, timeout_seconds=1.0)
        latencies: list[datetime] = []
        pace = Pace(self.batch, RetryPolicy(first=timedelta(seconds=30), attempts=3))
        ledger = PostgresLedger(self.pool)
        sender = Sender(self.planning, ledger, mailer, transactions, self.clock, pace, latencies.append)
        owner = Owner(claims, transactions, mailer, sender, latencies)
        await self.claim(owner, lanes)
        self.owners.append(owner)
        return owner

    async def claim(self, owner: Owner, lanes: Sequence[int] = LANES) -> None:
        async with self.pool.connection() as connection:
            owner.claims.replace(await claim(connection, GROUP, lanes, f"owner-{len(self.owners)}"))

    async def read(self, owner: Owner, *records: Record) -> list[Outcome]:
        """Do what the runtime does with a batch of records."""
        handler = EngagementHandler(self.planning, PostgresBook(), lambda: None)
        events: list[Received[Event]] = []
        for record in records:
            for index, event in enumerate(handler.decode(record)):
                assert not isinstance(event, Poison), event
                events.append(Received(record, index, event))
        async with owner.transactions.begin({one.lane for one in events}) as transaction:
            return await self._decide(handler, transaction, events, ())

    async def tick(self, owner: Owner) -> int:
        """Do what the runtime's clock does: wake whom the handler asked it to wake by now."""
        handler = EngagementHandler(self.planning, PostgresBook(), lambda: None)
        lanes = dict.fromkeys(owner.claims.lanes, self.clock.now())
        async with owner.transactions.begin(lanes) as transaction:
            fired = await due.take(transaction.connection, lanes, 1000)
            await self._decide(handler, transaction, (), fired)
        return len(fired)

    async def _decide(
        self,
        handler: EngagementHandler,
        transaction: Transaction,
        events: Sequence[Received[Event]],
        fired: Sequence[DueInstant],
    ) -> list[Outcome]:
        state = await handler.load(transaction.connection, handler.keys(events, fired))
        decision = handler.decide(events, fired, state, self.clock.now())
        await handler.save(transaction.connection, decision.rows)
        await transaction.change_due(decision.due)
        transaction.publish(decision.publications)
        return list(decision.outcomes)

    async def ask(self, query: Any, *arguments: object) -> list[Any]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query, arguments)
            return await cursor.fetchall()

    async def states(self) -> dict[str, int]:
        """Count messages by state, those left out by their rule."""
        return dict(await self.ask("SELECT coalesce(rule, state), count(*) FROM messages GROUP BY 1"))

    async def announced(self) -> dict[str, int]:
        """Count announcements by type."""
        return dict(await self.ask("SELECT type, count(*) FROM announcements GROUP BY 1"))

    async def close(self) -> None:
        for owner in self.owners:
            await owner.mailer.close()
