"""Deciding about customers: look what a decision would do, write it down for the clock, and wait until it was done."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime
from uuid import uuid4

import msgspec
from psycopg import AsyncConnection, Connection, IsolationLevel
from psycopg.errors import QueryCanceled

from services.profile.adapters import postgres_decisions
from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.docket import hearing
from services.profile.domain import extent
from services.profile.domain.decisions import Decision, Kind
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.planning import Choice, Plan, RefusedError
from services.profile.domain.previewing import Exceeded, prospect
from services.profile.domain.record import record_of
from services.profile.domain.settling import Settlement
from services.profile.state_cache import StateCache
from services.profile.surveying import Surveyor
from shared.contracts.customers import CustomerRecord
from shared.contracts.identities import IdentityRef
from shared.runtime.failpoints import NullFailpoints

LOOKED_SECONDS = 10
"""How long PostgreSQL may take for any one thing that is looked at: whoever waits for an answer would go by then."""

LOOK_EVERY = 0.1
"""Seconds between two looks whether a decision was applied."""


class Becoming(msgspec.Struct, frozen=True):
    """A customer as a decision would leave it; without a record, nobody did anything by it."""

    customer_id: str
    identities: tuple[IdentityRef, ...]
    record: CustomerRecord | None


class Preview(msgspec.Struct, frozen=True):
    """What a decision would do, on customers as they are now: nothing is written."""

    kind: Kind
    identities: tuple[str, ...]
    undoes: str | None
    customers: tuple[Becoming, ...]
    exceeded: tuple[Exceeded, ...]
    identities_moved: int
    activities_moved: int
    parted: bool
    """Of an unmerge or a split: that those who are to be parted are not one customer by other links."""


class Done(msgspec.Struct, frozen=True):
    """What came of a decision: whose its identities were and are, and what it said about pairs and about each."""

    applied_at: datetime
    before: dict[str, str]
    after: dict[str, str]
    said: list[dict[str, str]]
    blocked: dict[str, bool]
    refused: str | None = None
    """Why nothing came of it; then everything is as it was."""


class Recorded(msgspec.Struct, frozen=True):
    """A decision that is written down; `applied` is what came of it, once a worker of profile got to it."""

    id: str
    kind: Kind
    who: str
    why: str
    preview: Preview
    applied: Done | None = None


def preview(
    database_url: str, rules: IdentityRules, people: Collection[str], choice: Choice, stages: Stages = USUAL
) -> Preview:
    """Look what a decision about these people would do; call it where no event loop runs.

    Raises:
        RefusedError: it makes no sense of them, or they are too many.
        StaleStateError: somebody else wrote meanwhile, again and again.
        psycopg.Error: the database cannot be used.
    """
    return asyncio.run(_preview(database_url, rules, people, choice, stages))


async def _preview(
    database_url: str, rules: IdentityRules, people: Collection[str], choice: Choice, stages: Stages = USUAL
) -> Preview:
    async with looking(database_url) as connection:
        return await look(connection, rules, people, choice, stages)


@asynccontextmanager
async def looking(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that sees one state of the tables, writes nothing, and takes no longer than somebody waits.

    Raises:
        RefusedError: it took longer.
    """
    options = "-c search_path=profile -c timezone=UTC -c default_transaction_read_only=on"
    options += f" -c statement_timeout={LOOKED_SECONDS}s"
    async with await AsyncConnection.connect(database_url, options=options, connect_timeout=5) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        try:
            yield connection
        except QueryCanceled:
            words = f"Looking at it took PostgreSQL more than {LOOKED_SECONDS} seconds: it is too large, or busy now."
            raise RefusedError(words) from None


async def look(
    connection: AsyncConnection, rules: IdentityRules, people: Collection[str], choice: Choice, stages: Stages = USUAL
) -> Preview:
    """Look what a decision would do, within a transaction that sees one state of the tables.

    Of several plans, the first counts that does what is asked for, or the last if none does.

    Raises:
        RefusedError: it makes no sense of them.
    """
    store = PostgresCustomers(NullFailpoints())
    surveyor = Surveyor(store, StateCache(0), rules, most=extent.MOST_RESOLVED)
    _, plans = await surveyor.attend(connection, people, choice)
    for plan in plans:
        decision = Decision(
            "f" * 32, await postgres_decisions.next_mark(connection), plan.kind, plan.identities, plan.undoes
        )
        settlement, _ = await hearing(store, surveyor, connection, (decision,))
        parted = _parted(plan, settlement)
        if not parted and plan is not plans[-1]:
            continue
        coming = prospect(settlement, rules)
        refs = {name: person.ref for name, person in settlement.people.items()}
        return Preview(
            plan.kind,
            plan.identities,
            plan.undoes,
            tuple(
                Becoming(
                    one.customer_id,
                    tuple(refs[name] for name in one.identities),
                    None if one.state is None else record_of(one.customer_id, one.state, stages),
                )
                for one in coming.customers
            ),
            coming.exceeded,
            len(coming.moved),
            await postgres_decisions.count_activities(connection, coming.moved),
            parted,
        )
    raise RefusedError("There is nothing to decide.")


def _parted(plan: Plan, settlement: Settlement) -> bool:
    whose = [settlement.people[name].customer for name in plan.parted]
    return whose[0] not in whose[1:] if whose else False


def record(connection: Connection, looked: Preview, who: str, why: str) -> Recorded:
    """Write a decision down, with an instant at which a worker of profile finds it; the caller commits."""
    name = uuid4().hex
    kept = {
        "customers": {one.customer_id: [ref.id for ref in one.identities] for one in looked.customers},
        "exceeded": msgspec.to_builtins(looked.exceeded),
        "identities_moved": looked.identities_moved,
        "activities_moved": looked.activities_moved,
    }
    plan = Plan(looked.kind, looked.identities, looked.undoes)
    postgres_decisions.insert(connection, name, plan, who, why, msgspec.json.encode(kept).decode())
    return Recorded(name, looked.kind, who, why, looked)


def wait(connect: Callable[[], AbstractContextManager[Connection]], recorded: Recorded, seconds: float) -> Recorded:
    """Wait until a decision was applied, so long at most; tells so in what it returns.

    Each look has a connection of its own, so that who waits keeps none from others.
    """
    until = time.monotonic() + seconds
    while True:
        with connect() as connection:
            applied = postgres_decisions.applied(connection, recorded.id)
        if applied is not None or time.monotonic() >= until:
            done = None if applied is None else msgspec.convert(applied, Done)
            return msgspec.structs.replace(recorded, applied=done)
        time.sleep(LOOK_EVERY)
