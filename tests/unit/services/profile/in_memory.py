"""The customer store in memory, with the same promises as the tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import cast

import msgspec
from psycopg import AsyncConnection

from services.profile.accounting import AccountSaid
from services.profile.domain import decisions
from services.profile.domain.account import AccountState, join
from services.profile.domain.census import MOST_AT_ONCE
from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.decisions import Applied
from services.profile.domain.event import Event
from services.profile.domain.extent import MOST_RESOLVED
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Link
from services.profile.domain.state import dump, load
from services.profile.handlers import ProfileHandler, Rows
from services.profile.ports import Change, CustomerStore, Entry, GraphChange, Pair, Seating, Whole
from services.profile.refusals_counted import Count, CountGivenUp, none, nowhere
from services.profile.state_cache import StateCache
from shared.contracts.identities import IdentityRef
from shared.runtime.clock import SystemClock
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import Decision, Outcome, Publication, SetDue
from shared.runtime.records import DueInstant, Poison, Received, Record

NO_CONNECTION = cast("AsyncConnection", None)


class InMemoryCustomers:
    """Rows as the tables hold them: documents as bytes, so that nothing is shared with who wrote them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.timeline: dict[bytes, Entry] = {}
        self.customers: dict[str, Cluster] = {}
        self.regions: dict[str, Territory] = {}
        self.edges: dict[Pair, Link] = {}
        self.decisions: dict[str, decisions.Decision] = {}
        self.applied: dict[str, Applied] = {}
        self.accounts: dict[str, AccountState] = {}
        self.account_identities: set[tuple[str, bytes]] = set()

    async def identities(self, _connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        return {key.hex(): self.rows[key].stored() for key in keys if key in self.rows}

    async def go_beside(self, _connection: AsyncConnection) -> None:
        """Nobody works at the same time."""

    async def go_alone(self, _connection: AsyncConnection) -> None:
        """Nobody works at the same time."""

    async def clusters(
        self, _connection: AsyncConnection, roots: Collection[str]
    ) -> tuple[Mapping[str, Cluster], Mapping[str, Territory]]:
        clusters = {root: _copied(self.customers[root]) for root in roots if root in self.customers}
        regions = {one.region for one in clusters.values() if one.region is not None}
        return clusters, {region: self.regions[region] for region in regions}

    async def whole(self, connection: AsyncConnection, roots: Collection[str], regions: Collection[str]) -> Whole:
        wanted = {root for root, one in self.customers.items() if root in roots or one.region in regions}
        clusters, territories = await self.clusters(connection, wanted)
        rows = {key.hex(): row for key, row in self.rows.items() if row.after.root in wanted}
        refs = {name: row.ref for name, row in rows.items()}
        return Whole({name: row.stored() for name, row in rows.items()}, refs, clusters, territories)

    async def links(self, _connection: AsyncConnection, pairs: Collection[Pair]) -> Mapping[Pair, Link]:
        return {pair: self.edges[pair] for pair in pairs if pair in self.edges}

    async def links_among(self, _connection: AsyncConnection, ids: Collection[str]) -> Mapping[Pair, Link]:
        return {pair: link for pair, link in self.edges.items() if pair[0] in ids and pair[1] in ids}

    async def links_of(
        self, _connection: AsyncConnection, ids: Collection[str], most: int | None = None
    ) -> Mapping[Pair, Link]:
        found = [(pair, link) for pair, link in self.edges.items() if pair[0] in ids or pair[1] in ids]
        return dict(found[:most])

    async def people(self, connection: AsyncConnection, ids: Collection[str]) -> Whole:
        rows = {name: self.rows[key] for name in ids if (key := bytes.fromhex(name)) in self.rows}
        roots = {one.after.root for one in rows.values() if one.after.root is not None}
        clusters, territories = await self.clusters(connection, roots)
        refs = {name: row.ref for name, row in rows.items()}
        return Whole({name: row.stored() for name, row in rows.items()}, refs, clusters, territories)

    async def upset(self, _connection: AsyncConnection, regions: Collection[str]) -> Mapping[str, int]:
        found = {one: self.regions[one] for one in regions if one in self.regions}
        return {name: sum(one.summary.counts.values()) for name, one in found.items() if one.due is not None}

    async def pending(self, _connection: AsyncConnection, ids: Collection[str]) -> Sequence[decisions.Decision]:
        waiting = [one for one in self.decisions.values() if one.id in ids and one.id not in self.applied]
        return sorted(waiting, key=lambda one: one.mark)

    async def keep_applied(self, _connection: AsyncConnection, applied: Sequence[Applied]) -> None:
        for one in applied:
            if one.decision.id in self.applied:
                raise StaleStateError("a decision was applied by somebody else")
            self.applied[one.decision.id] = one

    async def hashes(self, _connection: AsyncConnection, keys: Mapping[date, Sequence[bytes]]) -> Mapping[bytes, bytes]:
        wanted = [key for some in keys.values() for key in some]
        return {key: self.timeline[key].event.payload_hash for key in wanted if key in self.timeline}

    async def write(
        self,
        _connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        seats = [*map(_seating, changes), *(() if graph is None else graph.seatings)]
        for seat in seats:
            _require(self.rows[seat.key].after.version if seat.key in self.rows else 0, seat.before)
        if any(entry.event.key in self.timeline for entry in entries):
            raise StaleStateError("an event was added by somebody else")
        if graph is not None:
            before = dict(self.customers), dict(self.regions), dict(self.edges)
            try:
                self._write_graph(graph)
            except StaleStateError:
                self.customers, self.regions, self.edges = before
                raise
        self.rows.update({seat.key: _row(seat, self.rows.get(seat.key)) for seat in seats})
        self.timeline.update({entry.event.key: entry for entry in entries})

    def _write_graph(self, graph: GraphChange) -> None:
        found = {root: one.version for root, one in self.customers.items()}
        for root, before in (*graph.gone.items(), *((one.root, one.before) for one in graph.clusters)):
            _require(found.get(root, 0), before)
        for name, before in graph.regions_gone.items():
            _require(self.regions[name].version if name in self.regions else 0, before)
            del self.regions[name]
        for change in graph.regions:
            _require(self.regions[change.id].version if change.id in self.regions else 0, change.before)
        for root in graph.gone:
            del self.customers[root]
        for one in graph.clusters:
            region = one.after.region if one.moves else self.customers[one.root].region
            self.customers[one.root] = msgspec.structs.replace(_copied(one.after), region=region)
        self.regions |= {one.id: Territory(one.version, one.summary, one.due) for one in graph.regions}
        for root, cluster in self.customers.items():
            target = graph.moved_regions.get(cluster.region or "")
            if target is not None:
                self.customers[root] = msgspec.structs.replace(cluster, region=target)
        for link, new in graph.links:
            _require(link.pair not in self.edges, new)
            self.edges[link.pair] = msgspec.structs.replace(link, last=link.first)

    async def add_to_accounts(self, _connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
        for account_id, one in said.items():
            known = self.accounts.get(account_id)
            self.accounts[account_id] = one.state if known is None else join(known, one.state)
            self.account_identities |= {(account_id, key) for key in one.identities}

    def forget(self) -> None:
        """Nothing is remembered but the rows."""


class Row(msgspec.Struct, frozen=True):
    """An identity's row, its state packed."""

    ref: IdentityRef
    after: Stored
    document: bytes | None

    def stored(self) -> Stored:
        """Return what reading it gives."""
        state = None if self.document is None else load(self.document)
        return msgspec.structs.replace(self.after, state=state, portrait=None)


def _row(seat: Seating, before: Row | None) -> Row:
    ref = seat.ref if before is None else before.ref
    after = Stored(seat.version, None, None, seat.root, seat.membership, seat.standing)
    return Row(ref, after, None if seat.state is None else dump(seat.state))


def _seating(change: Change) -> Seating:
    after = change.after
    return Seating(
        change.owner, change.key, change.before, after.version, after.state, after.root, after.membership,
        after.standing,
    )  # fmt: skip


def _copied(cluster: Cluster) -> Cluster:
    return msgspec.structs.replace(cluster, state=load(dump(cluster.state)), portrait=None)


def _require(found: int, wanted: int) -> None:
    if found != wanted:
        raise StaleStateError("a row was changed by somebody else")


def new_handler(
    store: CustomerStore | None = None,
    cached: int = 100,
    rules: IdentityRules | None = None,
    at_once: int = MOST_AT_ONCE,
    count_refused: Count = nowhere,
    most: int = MOST_RESOLVED,
    count_given_up: CountGivenUp = none,
) -> ProfileHandler:
    return ProfileHandler(
        store or InMemoryCustomers(),
        StateCache(cached),
        4,
        rules or IdentityRules(),
        at_once,
        count_refused,
        most=most,
        count_given_up=count_given_up,
    )


def read_all(handler: ProfileHandler, records: Sequence[Record]) -> list[Received[Event]]:
    """Decode records that hold nothing unreadable."""
    received = []
    for record in records:
        for index, event in enumerate(handler.decode(record)):
            assert not isinstance(event, Poison), event
            received.append(Received(record, index, event))
    return received


async def apply(
    handler: ProfileHandler,
    records: Sequence[Record],
    connection: AsyncConnection = NO_CONNECTION,
    now: datetime | None = None,
    woken: set[str] | None = None,
) -> tuple[Sequence[Outcome], Sequence[Publication]]:
    """Take one batch through the handler as the runtime does; `woken` gets what the clock is to bring."""
    events = read_all(handler, records)
    state = await handler.load(connection, handler.keys(events, ()))
    decision = handler.decide(events, (), state, now or SystemClock().now())
    await handler.save(connection, decision.rows)
    if woken is not None:
        woken |= {one.key for one in decision.due if isinstance(one, SetDue)}
    return decision.outcomes, decision.publications


async def ring(
    handler: ProfileHandler, keys: Iterable[str], connection: AsyncConnection = NO_CONNECTION
) -> Decision[Rows]:
    """Let the clock bring what was set under these keys, as the runtime does."""
    now = SystemClock().now()
    due = [DueInstant(0, key, now) for key in keys]
    state = await handler.load(connection, handler.keys((), due))
    decision = handler.decide((), due, state, now)
    await handler.save(connection, decision.rows)
    return decision
