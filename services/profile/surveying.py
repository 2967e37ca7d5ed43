"""Finding out who is who of a batch: read what its edges touch, and whole regions where summaries do not do."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from psycopg import AsyncConnection

from services.profile.domain.census import MOST_AT_ONCE, Census
from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.event import Event
from services.profile.domain.extent import MOST_RESOLVED, TooLargeError, extent
from services.profile.domain.glimpses import Glimpses, glimpse
from services.profile.domain.holdings import Holdings, IncompleteError
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.settling import Settlement, settle
from services.profile.ports import CustomerStore
from services.profile.state_cache import StateCache
from shared.contracts.identities import IdentityRef
from shared.runtime.errors import StaleStateError

ELSEWHERE = "a customer was merged or parted by somebody else while it was read"

MOST_OVERTAKEN = 2
"""The first time may well be a cache that was old. From then on, large batches would be overtaken for ever."""

MANY_EVENTS = 500
"""From so many on, the heartbeats that share our event loop are let through."""

T = TypeVar("T")


class Surveyor:
    """Reads and settles; what a batch of identities that nobody was named with costs is a look at each."""

    def __init__(
        self,
        store: CustomerStore,
        cache: StateCache,
        rules: IdentityRules,
        at_once: int = MOST_AT_ONCE,
        most: int = MOST_RESOLVED,
    ) -> None:
        self.most = most
        self._store = store
        self._cache = cache
        self._rules = rules
        self._at_once = at_once
        self._overtaken = 0

    async def begin(self, connection: AsyncConnection) -> None:
        """Begin a batch: alone, if others came first so often that it would never end."""
        if self._overtaken >= MOST_OVERTAKEN:
            await self._store.go_alone(connection)

    def overtaken(self) -> None:
        """Note that somebody else came first, or that something else went wrong."""
        self._overtaken += 1

    def done(self) -> None:
        """Note that nobody came first."""
        self._overtaken = 0

    async def survey(
        self,
        connection: AsyncConnection,
        events: Sequence[Event],
        identities: Mapping[str, Stored],
        hashes: Mapping[bytes, bytes],
    ) -> Settlement | None:
        """Tell who is who of those whom new events name together, or who were before; nothing if there is nobody."""
        placed = {name for name, stored in identities.items() if stored.standing is not None}
        named = {one.id for event in events if event.others for one in (event.owner, *event.others)}
        if not placed and not named:
            return None
        concerned = [event for event in _new(events, hashes) if event.others or event.owner.id in placed | named]
        if not concerned:
            return None
        await self._store.go_beside(connection)
        glimpses = glimpse(concerned)
        held = await self._held(connection, glimpses, identities)
        while True:
            try:
                if len(concerned) > MANY_EVENTS:
                    return await asyncio.to_thread(self._settled, held, glimpses)
                return self._settled(held, glimpses)
            except IncompleteError as wanting:
                held = await self._more(connection, held, wanting)

    def _settled(self, held: Holdings, glimpses: Glimpses) -> Settlement:
        census = Census(held, self._rules, self._at_once)
        census.see(glimpses)
        return settle(census)

    async def attend(
        self, connection: AsyncConnection, names: Collection[str], work: Callable[[Census], T]
    ) -> tuple[Settlement, T]:
        """Do what people or the clock ask for, on these people as they are in the tables and on whoever it takes.

        Nothing is remembered of it and nothing taken from memory; large regions are resolved.

        Raises:
            TooLargeError: more than `most` identities would have to be read.
            StaleStateError: somebody else wrote meanwhile.
        """
        people = await self._store.people(connection, names)
        links = await self._store.links_among(connection, people.identities)
        held = Holdings(people.identities, people.refs, people.clusters, people.territories, links, all_links=True)

        def worked() -> tuple[Settlement, T]:
            census = Census(held, self._rules, at_once=None)
            census.meet_all()
            done = work(census)
            return settle(census), done

        while True:
            try:
                return await asyncio.to_thread(worked)
            except IncompleteError as wanting:
                if extent(held, wanting) > self.most:
                    raise TooLargeError(self.most) from None
                held = await self._more(connection, held, wanting)

    async def _held(
        self, connection: AsyncConnection, glimpses: Glimpses, identities: Mapping[str, Stored]
    ) -> Holdings:
        refs = {name: ref for name, (ref, _) in glimpses.met.items()}
        mine = {name: identities[name] for name in refs if name in identities}
        clusters, territories = await self._clusters(connection, mine.values())
        known = {(one.a, one.b) for one, _ in glimpses.pairs if one.a in mine and one.b in mine}
        links = await self._store.links(connection, known) if known else {}
        return Holdings(mine, refs, clusters, territories, links)

    async def _clusters(
        self, connection: AsyncConnection, identities: Iterable[Stored]
    ) -> tuple[Mapping[str, Cluster], Mapping[str, Territory]]:
        roots = {stored.root for stored in identities if stored.root is not None}
        clusters = {root: cluster for root in roots if (cluster := self._cache.cluster(root)) is not None}
        missing = roots - clusters.keys()
        if not missing:
            return clusters, {}
        more, territories = await self._store.clusters(connection, missing)
        if more.keys() != missing:
            raise StaleStateError(ELSEWHERE)
        return {**clusters, **more}, territories

    async def _more(self, connection: AsyncConnection, held: Holdings, wanting: IncompleteError) -> Holdings:
        whole = await self._store.whole(connection, held.whole | wanting.roots, held.whole_regions | wanting.regions)
        # What was remembered may be old: then the customers are not there any more, or have moved on.
        old = any(
            cluster.version != held.clusters.get(root, cluster).version for root, cluster in whole.clusters.items()
        )
        lost = wanting.roots - whole.clusters.keys() or wanting.regions - whole.territories.keys()
        if old or lost:
            raise StaleStateError(ELSEWHERE)
        refs: dict[str, IdentityRef] = {**held.refs, **whole.refs}
        identities = {**held.identities, **whole.identities}
        clusters = {**held.clusters, **whole.clusters}
        if any(one.root is not None and one.root not in clusters for one in identities.values()):
            raise StaleStateError(ELSEWHERE)
        links = await self._store.links_among(connection, identities)
        return Holdings(
            identities, refs, clusters, {**held.territories, **whole.territories}, links,
            frozenset(whole.clusters), held.whole_regions | wanting.regions, all_links=True,
        )  # fmt: skip


def _new(events: Iterable[Event], hashes: Mapping[bytes, bytes]) -> Iterable[Event]:
    seen = set(hashes)
    for event in events:
        if event.key not in seen:
            seen.add(event.key)
            yield event
