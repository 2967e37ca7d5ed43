"""Reading all that decides about some customers: their rows, their events, and whoever links make one with them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters import postgres_recount
from services.profile.adapters.postgres_recount import Rulings
from services.profile.domain.clusters import Cluster, Stored, Summary, Territory
from services.profile.domain.extent import size_of
from services.profile.domain.graph import forced, unfit
from services.profile.domain.holdings import Holdings, Pair
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Block, Link, Node, Word
from services.profile.domain.recounting import Recount, Recounted
from services.profile.domain.state import State
from services.profile.ports import CustomerStore, Whole
from services.profile.rebuilding.bounds import Bounds, TooMuchError
from shared.contracts.identities import IdentityRef

NEVER = datetime.max.replace(tzinfo=UTC)
"""When somebody was first seen of whom nothing is known: before that, whatever is."""


class Gathered(msgspec.Struct, frozen=True):
    """Whole regions: their rows, and what their events say; `lost` are customers whose rows are gone.

    `unreadable` are identities of whom an event cannot be read by this version, and where: what is told of them is
    not all.
    """

    held: Holdings
    told: Recounted
    events: int
    lost: Mapping[str, Cluster]
    unreadable: Mapping[str, str] = {}


async def gather(
    connection: AsyncConnection,
    store: CustomerStore,
    rules: IdentityRules,
    rulings: Rulings,
    ids: Iterable[str],
    bounds: Bounds,
) -> Gathered:
    """Read everything that decides about these identities, in a transaction that sees one moment.

    Of whoever is only linked to somebody outside by what does not hold, what is known of that pair is believed.

    Raises:
        TooMuchError: it is more than the bounds allow.
    """
    gathering = _Gathering(connection, store, rules, bounds)
    await gathering.hear(rulings)
    return await gathering.all_of(set(ids))


class _Gathering:
    def __init__(self, connection: AsyncConnection, store: CustomerStore, rules: IdentityRules, bounds: Bounds) -> None:
        self._bounds = bounds
        self._connection = connection
        self._store = store
        self._rules = rules
        self._recount = Recount(rules)
        self._words: dict[str, list[tuple[Pair, Word]]] = {}
        self._blocks: dict[str, list[Block]] = {}
        self._identities: dict[str, Stored] = {}
        self._refs: dict[str, IdentityRef] = {}
        self._clusters: dict[str, Cluster] = {}
        self._territories: dict[str, Territory] = {}
        self._links: dict[Pair, Link] = {}
        self._outsiders: dict[str, Node] = {}
        self._versions: dict[str, int] = {}
        self._unreadable: dict[str, str] = {}
        self._events = 0

    async def hear(self, rulings: Rulings) -> None:
        for mark, ruling in await rulings.read(self._connection):
            for said in ruling.said:
                pair = min(said.one, said.other), max(said.one, said.other)
                for end in pair:
                    self._words.setdefault(end, []).append((pair, Word(mark, said.verdict)))
            for name, blocked in ruling.blocked:
                self._blocks.setdefault(name, []).append(Block(mark, blocked))

    async def all_of(self, wanted: set[str]) -> Gathered:
        while wanted:
            new = await self._read_rows(wanted)
            await self._count(new)
            wanted = await self._linked()
        recount = self._recount
        members = self._identities.keys()
        outside: dict[str, list[Link]] = {name: [] for name in members}
        for link in self._links.values():
            ends = [end for end in link.pair if end in members]
            if len(ends) == 1:
                outside[ends[0]].append(link)
        for name, links in outside.items():
            recount.refs.setdefault(name, self._refs[name])
            recount.trust(self._live(name), links, members)
        await self._remember()
        roots = {one.root for one in self._identities.values() if one.root is not None}
        lost = {root: self._lost(root) for root in sorted(roots - self._clusters.keys())}
        clusters = {**self._clusters, **lost}
        held = Holdings(
            self._identities, self._refs, clusters, self._territories, self._links, frozenset(clusters),
            frozenset(self._territories), all_links=True,
        )  # fmt: skip
        # A large region takes its time, and heartbeats share our event loop.
        told = await asyncio.to_thread(recount.result, members)
        return Gathered(held, told, self._events, lost, self._unreadable)

    async def _remember(self) -> None:
        """Believe what documents of before there were links know beside their own: no event of the timeline has it.

        Of whoever has a row by now, that one tells whose it is.
        """
        beside = {
            name: {other: ref for other, ref in one.state.identities.items() if other != name}
            for name, one in self._identities.items()
            if one.state is not None and one.state.identities.keys() - {name}
        }
        names = {other for some in beside.values() for other in some}
        if not names:
            return
        known = (await self._store.people(self._connection, names)).identities.keys()
        for name, some in beside.items():
            self._recount.remember(name, [ref for other, ref in some.items() if other not in known])

    async def _read_rows(self, wanted: set[str]) -> set[str]:
        before = set(self._identities)
        some = await self._store.people(self._connection, wanted)
        self._see(some)
        roots = wanted | some.clusters.keys()
        regions = {one.region for one in some.clusters.values() if one.region is not None}
        whole = await self._store.whole(self._connection, roots, regions)
        self._see(whole)
        around = {one.region for one in whole.clusters.values() if one.region is not None} - regions
        parts = [some, whole]
        if around:
            parts.append(await self._store.whole(self._connection, set(whole.clusters), around))
        for part in parts:
            self._identities.update(part.identities)
            self._refs.update(part.refs)
            self._see(part)
        return self._identities.keys() - before

    def _see(self, part: Whole) -> None:
        self._clusters.update(part.clusters)
        self._territories.update(part.territories)
        regions = self._territories
        alone = sum(one.summary.size for one in self._clusters.values() if one.region not in regions)
        if alone + sum(map(size_of, regions.values())) > self._bounds.identities:
            raise TooMuchError

    async def _count(self, new: set[str]) -> None:
        most = self._bounds.links
        self._links.update(await self._store.links_of(self._connection, new, most + 1) if new else {})
        if len(self._links) > most:
            raise TooMuchError
        for name in new:
            for pair, word in self._words.get(name, ()):
                self._recount.say(pair, word)
            for block in self._blocks.get(name, ()):
                self._recount.block(name, block)
        async with aclosing(postgres_recount.events_of(self._connection, new, self._refs)) as events:
            async for some in events:
                self._events += len(some)
                if self._bounds.events is not None and self._events > self._bounds.events:
                    raise TooMuchError
                for kept in some:
                    self._recount.take(kept.event)
                    if kept.unreadable is not None:
                        self._unreadable.setdefault(kept.event.owner.id, kept.unreadable)
                    self._versions[kept.customer_id] = max(self._versions.get(kept.customer_id, 0), kept.version)

    async def _linked(self) -> set[str]:
        """Return whoever outside a link may make one with somebody here."""
        crossing: list[tuple[str, str, Link]] = []
        counts: dict[str, int] = {}
        links = {**self._links, **self._recount.links}
        for link in links.values():
            for end in link.pair if link.first is not None else ():
                counts[end] = counts.get(end, 0) + 1
            ends = [end for end in link.pair if end in self._identities]
            if len(ends) == 1:
                inner = ends[0]
                crossing.append((inner, link.b if inner == link.a else link.a, link))
        inners = {inner: self._inner(inner, counts.get(inner, 0)) for inner, _, _ in crossing}
        open_ends = [one for one in crossing if self._may_hold(inners[one[0]], None, one[2]) or self._is_news(one[2])]
        await self._meet({outer for _, outer, _ in open_ends} - self._outsiders.keys())
        return {
            outer
            for inner, outer, link in open_ends
            if outer in self._outsiders
            and (self._may_hold(inners[inner], self._outsiders[outer], link) or self._is_news(link))
        }

    def _is_news(self, link: Link) -> bool:
        """Tell whether our events say more of a pair than its row: then who is at its other end is wrong too."""
        ours, known = self._recount.links.get(link.pair), self._links.get(link.pair)
        if ours is None or ours.first is None:
            return False
        return known is None or known.first is None or ours.first < known.first

    def _may_hold(self, inner: Node, outer: Node | None, link: Link) -> bool:
        other = Node(link.a if inner.id == link.b else link.b, "", inner.first_at) if outer is None else outer
        return unfit(link, inner, other, self._rules) is None or forced(link, inner, other) is not None

    def _inner(self, name: str, partners: int) -> Node:
        node = self._recount.node(name) if name in self._recount.refs else self._live(name)
        # Who signed in may be known from others' events alone, which are not counted here.
        signed_in = node.signed_in or self._live(name).signed_in
        return msgspec.structs.replace(node, partners=partners, signed_in=signed_in)

    async def _meet(self, names: Collection[str]) -> None:
        if not names:
            return
        people = await self._store.people(self._connection, names)
        counts = await postgres_recount.partners(self._connection, names, self._rules.most_partners + 1)
        for name, stored in people.identities.items():
            node = self._node(people.refs[name], stored)
            self._outsiders[name] = msgspec.structs.replace(node, partners=counts.get(name, 0))

    def _live(self, name: str) -> Node:
        return self._node(self._refs[name], self._identities[name])

    def _node(self, ref: IdentityRef, stored: Stored) -> Node:
        nobody = self._rules.blocks(ref.kind, ref.value)
        block = max(self._blocks.get(ref.id, ()), key=lambda one: (one.mark, one.blocked), default=None)
        standing = stored.standing
        if standing is not None:
            return Node(ref.id, ref.kind, standing.first_at, standing.partners, nobody, block, standing.signed_in)
        return Node(ref.id, ref.kind, NEVER if stored.state is None else stored.state.first_at, 0, nobody, block)

    def _lost(self, root: str) -> Cluster:
        """Stand in for a customer's row that is gone: later than whatever was told under its id."""
        stored = self._identities.get(root)
        # Each of its changes was an event's or a decision's.
        changes = self._events + sum(len(said) for some in (self._words, self._blocks) for said in some.values())
        version = max(self._versions.get(root, 0), 0 if stored is None else stored.version) + changes + 1
        at = min(self._live(name).first_at for name, one in self._identities.items() if one.root == root)
        ref = self._refs.get(root)
        summary = Summary("" if ref is None else ref.kind, at, 0, {}, None, active=True, memberships={})
        return Cluster(version, None, summary, State(at, at))
