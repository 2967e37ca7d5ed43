"""The rebuild: look at every customer, note who differs, put those right one by one, then the accounts.

Each step is one transaction with its progress, so a rebuild that was killed goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters import postgres_rebuilds, search_terms
from services.profile.adapters.postgres_rebuilds import Progress
from services.profile.adapters.postgres_recount import Rulings, see_one_moment, whose_turn
from services.profile.domain.comparing import Compared, Difference, compare
from services.profile.domain.lifecycle import USUAL
from services.profile.rebuilding import ledger
from services.profile.rebuilding.bounds import Bounds, TooMuchError
from services.profile.rebuilding.gathering import Gathered, gather
from services.profile.rebuilding.site import Site
from services.profile.rebuilding.switching import put_right, right
from shared.runtime.errors import FatalError, StaleStateError

NOBODY = bytes(16)
MOST_REDOS = 20
MOST_SHOWN = 1000

# Any number that nobody else locks by.
_LOCK = "SELECT pg_try_advisory_lock(7233173838383)"


class RebuildingError(FatalError):
    """A rebuild cannot go on; the text says why and what to do."""


class Outcome(msgspec.Struct, frozen=True):
    """What a rebuild came to: counts of what was looked at, who differed and where, and what was put right.

    `unreadable` of those that differ have an event that this version cannot read: they were left as they are.
    """

    identities: int
    events: int
    customers: int
    equal: int
    different: int
    switched: int
    unreadable: int
    accounts: int
    accounts_different: int
    differences: Sequence[Difference]


Watch = Callable[[str, int, int, int], None]
"""Told of the phase, of how many things it has done, how many there are, and how many events were counted."""


class Rebuild:
    """One rebuild from begin to end; again after a kill, it goes on."""

    def __init__(self, site: Site, watch: Watch) -> None:
        self._site = site
        self._watch = watch
        self._rulings = Rulings()

    async def run(self) -> Outcome:
        """Rebuild.

        Raises:
            RebuildingError: another rebuild is running, workers have another number of lanes, or customers changed
                each time that they were to be written; all others are put right then.
        """
        async with self._alone():
            await self._require_lanes()
            await self._remember_stages()
            at = await self._progress()
            if at.phase == "comparing":
                await self._compare(at)
            await self._switch(at.id)
            accounts = await ledger.rebuild_accounts(self._site.pool)
            async with self._site.pool.connection() as connection:
                end = await postgres_rebuilds.read_open(connection)
                shown = await postgres_rebuilds.differences(connection, MOST_SHOWN)
                unreadable = await postgres_rebuilds.how_many_unreadable(connection)
                await postgres_rebuilds.enter(connection, at.id, "done")
        if end is None:
            raise RebuildingError("somebody else ended this rebuild")
        return Outcome(
            end.identities, end.events, end.compared, end.compared - end.different, end.different, end.switched,
            unreadable, accounts.compared, len(accounts.wanted), shown,
        )  # fmt: skip

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._site.pool.connection() as connection:
            await connection.set_autocommit(True)
            try:
                cursor = await connection.execute(_LOCK)
                row = await cursor.fetchone()
                if row is None or not row[0]:
                    raise RebuildingError("another rebuild is running: wait for it, or stop it")
                yield
            finally:
                await connection.execute("SELECT pg_advisory_unlock_all()")
                await connection.set_autocommit(False)

    async def _require_lanes(self) -> None:
        # What is published into the wrong lane comes before or after what it should not.
        async with self._site.pool.connection() as connection:
            lanes = await postgres_rebuilds.how_many_lanes(connection)
        if lanes not in (None, self._site.lanes):
            raise RebuildingError(
                f"profile works with {lanes} lanes, not {self._site.lanes}: set CRM_LANES as it has it"
            )

    async def _remember_stages(self) -> None:
        # What no row holds: by which stages the records were drawn that stand on the topic.
        async with self._site.pool.connection() as connection:
            before = await postgres_rebuilds.read_stages(connection)
        rules = msgspec.structs.replace(self._site.rules, published=before or USUAL)
        self._site = replace(self._site, rules=rules)

    async def _progress(self) -> Progress:
        rules = self._site.rules.digest
        async with self._site.pool.connection() as connection:
            known = await postgres_rebuilds.read_open(connection)
            if known is not None and known.rules == rules:
                return known
            return await postgres_rebuilds.begin(connection, rules, self._site.rules.stages)

    async def _compare(self, at: Progress) -> None:
        site = self._site
        bounds = msgspec.structs.replace(site.bounds, events=None)
        last, looked, events = at.last or NOBODY, at.identities, at.events
        async with site.pool.connection() as connection:
            total = await postgres_rebuilds.how_many(connection)
            await connection.commit()
            while True:
                found = await look(connection, site, self._rulings, last, site.at_once, bounds)
                if found is None:
                    break
                last = found.last
                counts = found.identities, found.events, found.compared.customers
                await postgres_rebuilds.compared(connection, at.id, last, counts, found.compared.differences)
                await connection.commit()
                looked, events = looked + found.identities, events + found.events
                self._watch("comparing", looked, max(total, looked), events)
            await postgres_rebuilds.enter(connection, at.id, "switching")

    async def _switch(self, rebuild: int) -> None:
        pool = self._site.pool
        after, done, busy = NOBODY, 0, list[str]()
        while True:
            async with pool.connection() as connection:
                customer = await postgres_rebuilds.next_different(connection, after)
                at = await postgres_rebuilds.read_open(connection)
            if customer is None:
                break
            after = customer
            if not await self._switch_one(rebuild, customer):
                busy.append(customer.hex())
                continue
            done += 1
            self._watch("switching", done, 0 if at is None else at.different, 0)
        if busy:
            # Only now: whoever never rests would else keep all who come after from being put right, each time anew.
            many = "1 customer" if len(busy) == 1 else f"{len(busy)} customers"
            raise RebuildingError(
                f"{many} (the first is {busy[0]}) changed {MOST_REDOS} times while they were to be written, all others "
                "are put right: run the rebuild again"
            )

    async def _switch_one(self, rebuild: int, customer: bytes) -> bool:
        site = self._site
        for _ in range(MOST_REDOS):
            async with site.pool.connection() as connection:
                found = await right(connection, site, self._rulings, customer.hex())
            try:
                async with site.transactions.begin(()) as transaction:
                    if found is not None:
                        await put_right(transaction.connection, site.store, found)
                        seats = [seat.key for seat in found.folded.graph.seatings]
                        await search_terms.note(transaction.connection, seats)
                        transaction.publish(found.folded.publications)
                    written = found is not None
                    await postgres_rebuilds.switched(transaction.connection, rebuild, customer, written=written)
            except StaleStateError:
                site.store.forget()
            else:
                return True
        return False


class Looked(msgspec.Struct, frozen=True):
    """What a stretch of customers came to; `last` is where the next one begins."""

    last: bytes
    identities: int
    events: int
    compared: Compared


async def look(
    connection: AsyncConnection, site: Site, rulings: Rulings, after: bytes, most: int, bounds: Bounds
) -> Looked | None:
    """Compare the next customers by id with their events, as of one moment; nothing if there are none.

    If they are too much together, each is compared by itself; whoever is too much alone is passed over as pending.
    """
    try:
        async with connection.transaction():
            await see_one_moment(connection)
            turn = await whose_turn(connection, after, most)
            if not turn:
                return None
            gathered = await gather(
                connection, site.store, site.rules.identity, rulings, {key.hex() for key in turn}, bounds
            )
    except TooMuchError:
        return await _one_by_one(connection, site, rulings, turn, bounds)
    return await _compared(site, turn[-1], gathered)


async def _one_by_one(
    connection: AsyncConnection, site: Site, rulings: Rulings, turn: Sequence[bytes], bounds: Bounds
) -> Looked:
    found = Looked(turn[-1], 0, 0, Compared(0, 0, (), frozenset()))
    known: set[str] = set()
    for name in (key.hex() for key in turn):
        if name in known:  # its region was compared with another's
            continue
        try:
            # Each in a snapshot of its own: together they might take as long as what is too much.
            async with connection.transaction():
                await see_one_moment(connection)
                gathered = await gather(connection, site.store, site.rules.identity, rulings, {name}, bounds)
        except TooMuchError:
            found = _and(found, Looked(turn[-1], 0, 0, Compared(0, 1, (), frozenset())))
        else:
            known |= gathered.held.identities.keys()
            found = _and(found, await _compared(site, turn[-1], gathered))
    return found


async def _compared(site: Site, last: bytes, gathered: Gathered) -> Looked:
    rules = site.rules
    found = await asyncio.to_thread(
        compare, gathered.held, gathered.told, rules.identity, rules.stages, rules.published, gathered.unreadable
    )
    return Looked(last, len(gathered.held.identities), gathered.events, found)


def _and(one: Looked, other: Looked) -> Looked:
    compared = Compared(
        one.compared.customers + other.compared.customers,
        one.compared.pending + other.compared.pending,
        (*one.compared.differences, *other.compared.differences),
        one.compared.unlike | other.compared.unlike,
    )
    return Looked(one.last, one.identities + other.identities, one.events + other.events, compared)
