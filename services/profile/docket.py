"""What the clock brings: decisions of people that wait to be applied, and regions too large for a batch of events."""

from collections.abc import Sequence

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.census import Census
from services.profile.domain.decisions import DECISION, Applied, Decision, Kind, rule
from services.profile.domain.settling import Settlement
from services.profile.ports import CustomerStore
from services.profile.surveying import Surveyor
from shared.runtime.records import DueInstant

UNTANGLE = "untangle:"


class Heard(msgspec.Struct, frozen=True):
    """What became of everybody, and of each decision."""

    settlement: Settlement
    applied: tuple[Applied, ...]


class Docket:
    """Hears what fell due in one go; what was heard before, or is nobody's any more, is passed over."""

    def __init__(self, store: CustomerStore, surveyor: Surveyor) -> None:
        self._store = store
        self._surveyor = surveyor

    async def hear(self, connection: AsyncConnection, due: Sequence[DueInstant]) -> Heard | None:
        """Apply the decisions, then resolve the regions, on what is in the tables.

        Raises:
            StaleStateError: somebody else wrote meanwhile.
        """
        ids = {one.key.removeprefix(DECISION) for one in due if one.key.startswith(DECISION)}
        regions = {one.key.removeprefix(UNTANGLE) for one in due if one.key.startswith(UNTANGLE)}
        decisions = await self._store.pending(connection, ids) if ids else ()
        upset = await self._store.upset(connection, regions) if regions else frozenset()
        if not decisions and not upset:
            return None
        await self._store.go_beside(connection)
        return await hearing(self._store, self._surveyor, connection, decisions, upset)


async def hearing(
    store: CustomerStore,
    surveyor: Surveyor,
    connection: AsyncConnection,
    decisions: Sequence[Decision],
    upset: frozenset[str] = frozenset(),
) -> Heard:
    """Tell what decisions and untangled regions make of people; nothing is written.

    Raises:
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
        names |= {end for pair in await store.links_of(connection, freed) for end in pair}
    settlement, applied = await surveyor.attend(connection, names, work)
    return Heard(settlement, applied)
