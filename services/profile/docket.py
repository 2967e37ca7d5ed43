"""What the clock brings: decisions of people that wait to be applied, and regions too large for a batch of events."""

from collections.abc import Collection, Sequence

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.census import Census
from services.profile.domain.decisions import DECISION, Applied, Decision, Kind, decline, rule
from services.profile.domain.extent import MOST_RESOLVED, TooLargeError
from services.profile.domain.settling import Settlement
from services.profile.ports import CustomerStore
from services.profile.surveying import Surveyor
from shared.runtime.errors import StaleStateError
from shared.runtime.logs import logger
from shared.runtime.records import DueInstant

log = logger(__name__)

UNTANGLE = "untangle:"


class Heard(msgspec.Struct, frozen=True):
    """What became of everybody, if anybody was heard, and of each decision.

    What is `put_off` is to be brought again at once; of regions that are too large, so many were `given_up`.
    """

    settlement: Settlement | None
    applied: tuple[Applied, ...] = ()
    put_off: tuple[DueInstant, ...] = ()
    given_up: int = 0


class Docket:
    """Hears what fell due, of regions one at a time; what was heard before, or is nobody's any more, is passed over."""

    def __init__(self, store: CustomerStore, surveyor: Surveyor, most: int = MOST_RESOLVED) -> None:
        self._store = store
        self._surveyor = surveyor
        self._most = most

    async def hear(self, connection: AsyncConnection, due: Sequence[DueInstant]) -> Heard | None:
        """Apply the decisions, then resolve a region, on what is in the tables.

        A region above the limit is given up: its customers stay what they are by summaries. A decision that would need
        more is refused.

        Raises:
            StaleStateError: somebody else wrote meanwhile.
        """
        instants = {one.key: one for one in due}
        ids = {key.removeprefix(DECISION) for key in instants if key.startswith(DECISION)}
        regions = [key.removeprefix(UNTANGLE) for key in instants if key.startswith(UNTANGLE)]
        decisions = await self._store.pending(connection, ids) if ids else ()
        upset = await self._store.upset(connection, regions) if regions else {}
        small = [name for name in regions if name in upset and upset[name] <= self._most]
        for name, size in upset.items():
            if size > self._most:
                log.warning(
                    "A region is too large to be resolved: its customers stay as they are, late links in it are void",
                    action="region.given_up", region=name, identities=size,
                )  # fmt: skip
        given_up = len(upset) - len(small)
        # Each may be as large as the limit is: one transaction must not be as long as all of them.
        first, later = small[:1], [instants[UNTANGLE + name] for name in small[1:]]
        if not decisions and not first:
            return Heard(None, given_up=given_up) if given_up else None
        await self._store.go_beside(connection)
        try:
            heard = Heard(*await hearing(self._store, self._surveyor, connection, decisions, first))
        except TooLargeError as refused:
            if not decisions:
                raise StaleStateError("a region grew while it was read") from refused
            # Together they were too many, or the first alone is: whose turn it is not is brought again.
            heard = await self._one(connection, decisions[0])
            later = [instants[DECISION + one.id] for one in decisions[1:]] + [instants[UNTANGLE + one] for one in small]
        return msgspec.structs.replace(heard, put_off=tuple(later), given_up=given_up)

    async def _one(self, connection: AsyncConnection, decision: Decision) -> Heard:
        try:
            return Heard(*await hearing(self._store, self._surveyor, connection, (decision,)))
        except TooLargeError as refused:
            words = str(refused)
            log.warning(
                "A decision is refused: it is about too many identities", action="decision.refused", id=decision.id
            )
            settlement, applied = await self._surveyor.attend(
                connection, decision.identities, lambda census: decline(census, decision, words)
            )
            return Heard(settlement, (applied,))


async def hearing(
    store: CustomerStore,
    surveyor: Surveyor,
    connection: AsyncConnection,
    decisions: Sequence[Decision],
    upset: Collection[str] = (),
) -> tuple[Settlement, tuple[Applied, ...]]:
    """Tell what decisions and untangled regions make of people; nothing is written.

    Raises:
        TooLargeError: more identities would have to be read than are resolved at once.
        StaleStateError: somebody else wrote meanwhile.
    """

    def work(census: Census) -> tuple[Applied, ...]:
        applied = tuple(rule(census, decision) for decision in decisions)
        for region in sorted(upset):
            census.straighten(region)
        return applied

    names = {name for decision in decisions for name in decision.identities}
    freed = [name for decision in decisions if decision.kind is Kind.UNBLOCK for name in decision.identities]
    if freed:
        # Whoever is let in again may connect all whom it was named with.
        named = await store.links_of(connection, freed, surveyor.most + 1)
        if len(named) > surveyor.most:
            raise TooLargeError(surveyor.most)
        names |= {end for pair in named for end in pair}
    return await surveyor.attend(connection, names, work)
