"""What a census means for rows: who is called what, who moves, which ids lead elsewhere, and what must be written."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import reduce

import msgspec

from services.profile.domain.census import Census
from services.profile.domain.clusters import Cluster, RegionSummary, Standing, Stored, Summary, standing_of
from services.profile.domain.holdings import Area, Group, IncompleteError, Person
from services.profile.domain.join import join
from services.profile.domain.links import Link
from services.profile.domain.record import Portrait
from services.profile.domain.refusals import Refusals, refusals
from services.profile.domain.registers import united
from services.profile.domain.state import State
from shared.contracts.customers import MOST_IDENTITIES
from shared.contracts.identities import IdentityRef


class Telling(Enum):
    """What must be said under an id that is no customer's any more."""

    REDIRECT = "redirect"
    REMOVED = "removed"
    """It is its own, and whatever was done by it turned out to be somebody else's."""


class Settled(msgspec.Struct, frozen=True, gc=False):
    """An identity as it is to be: `version` is its row's, unless it is a customer without a cluster.

    `changed` says that more than its document is to be written.
    """

    ref: IdentityRef
    key: bytes
    before: Stored | None
    version: int
    root: str | None
    membership: int
    standing: Standing
    customer: str
    changed: bool
    telling: Telling | None


class Household(msgspec.Struct, frozen=True, gc=False):
    """A customer as it is before the batch's events are folded in; without `seated` it is one identity's own row.

    `base` is its version so far; `touched` says that it moves even if no event is folded in. `state` has every identity
    in it, and nothing else unless `active`.
    """

    name: str
    key: bytes
    base: int
    touched: bool
    moved: bool
    """The row is to be written, be it for its region alone."""
    seated: bool
    before: Cluster | None
    region: str | None
    summary: Summary
    state: State
    portrait: Portrait | None
    people: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """Tell whether it is in another region than before."""
        return self.before is None or self.before.region != self.region


class RegionChange(msgspec.Struct, frozen=True, gc=False):
    """A region with a row as it is to be; `before` is the version to be found, 0 if there is no row.

    If it is `upset`, the clock is to resolve it: at `due`, or when the clock says so if that is not settled yet. It was
    `waiting` for that already with so many identities; 0 if it was not.
    """

    id: str
    before: int
    version: int
    summary: RegionSummary
    upset: bool = False
    due: datetime | None = None
    waiting: int = 0


class Settlement(msgspec.Struct, frozen=True):
    """What became of everybody that a batch named, and of all who hang together with them."""

    people: Mapping[str, Settled]
    households: Mapping[str, Household]
    gone: Mapping[str, Cluster]
    """Customers' rows that are to be deleted."""
    regions: tuple[RegionChange, ...]
    regions_gone: Mapping[str, int]
    moved_regions: Mapping[str, str]
    """Every customer in the first is in the second now."""
    links: tuple[tuple[Link, bool], ...]
    """Links to be written, and whether each is new."""
    left: Refusals = {}
    """Pairs met for the first time that are not linked."""


def settle(census: Census) -> Settlement:
    """Settle what a census found.

    Raises:
        IncompleteError: identities that move were not read.
    """
    groups = {id(person.group): person.group for person in census.people.values()}
    held = census.held
    wanting = {
        root for group in groups.values() for root in group.clusters if root != group.elder.id
    } - held.whole  # fmt: skip
    if wanting:
        raise IncompleteError(frozenset(wanting), frozenset())
    regions = _Regions(census, groups.values())
    households = {group.elder.id: _household(census, group, regions) for group in groups.values()}
    people = {
        name: _settled(person, households[person.group.elder.id], census) for name, person in census.people.items()
    }
    seated = {name for name, household in households.items() if household.seated}
    return Settlement(
        people,
        households,
        {root: cluster for root, cluster in held.clusters.items() if root not in seated},
        tuple(regions.changes),
        regions.gone,
        regions.moved,
        tuple((census.links[pair], known is None) for pair, known in census.changed_links.items()),
        refusals(census),
    )


def version_of(name: str, census: Census) -> int:
    """Return how far the messages under an id have come."""
    cluster = census.held.clusters.get(name)
    if cluster is not None:
        return cluster.version
    stored = census.held.identities.get(name)
    return 0 if stored is None else stored.version


class _Regions:
    def __init__(self, census: Census, groups: Iterable[Group]) -> None:
        self._census = census
        self._ids: dict[int, str] = {}
        self.changes: list[RegionChange] = []
        self.gone = {name: row.version for name, row in census.dissolved.items()}
        self.moved: dict[str, str] = {}
        self._least = max(self.gone.values(), default=0)
        areas = {id(group.area): group.area for group in groups if group.area.kept}
        for key, area in areas.items():
            self._ids[key] = self._keep(area)

    def of(self, area: Area) -> str | None:
        return self._ids.get(id(area))

    def _keep(self, area: Area) -> str:
        summary = RegionSummary(area.counts, area.last)
        if not area.rows:
            name = self._name(area)
            self.changes.append(RegionChange(name, 0, self._least + 1, summary, area.upset))
            return name
        # The largest stays: every customer of the others has its row written, and a region may be very large.
        name, *others = sorted(area.rows, key=lambda one: (-sum(area.rows[one].summary.counts.values()), one))
        if area.changed:
            version = max(row.version for row in area.rows.values()) + 1
            due = min((row.due for row in area.rows.values() if row.due is not None), default=None)
            row = area.rows[name]
            waiting = 0 if row.due is None else sum(row.summary.counts.values())
            self.changes.append(RegionChange(name, row.version, version, summary, area.upset, due, waiting))
        for other in others:
            self.gone[other] = area.rows[other].version
            self.moved[other] = name
        return name

    def _name(self, area: Area) -> str:
        first = min(group.elder.id for group in area.groups)
        said = f"{first}:{version_of(first, self._census)}"
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def _household(census: Census, group: Group, regions: _Regions) -> Household:
    name = group.elder.id
    before = census.held.clusters.get(name)
    seated = group.size > 1 or group.area.kept
    region = regions.of(group.area)
    people = [census.people[one] for one in sorted(group.people)]
    newcomers = [person for person in people if person.customer not in group.clusters]
    was_alone = before is None and len(people) == 1 and people[0].customer == name
    same = (
        all(person.customer == name for person in people) and before.summary.size == group.size
        if before is not None
        else was_alone
    ) and group.clusters <= {name}
    settled_as_before = same and seated == (before is not None)
    # Whose turns are its own or a region's is told in its summary, so its version guards that.
    settled_as_before &= before is None or (before.region is None) == (region is None)
    if same and before is not None:
        state, active, portrait = before.state, before.summary.active, before.portrait
    elif same and people[0].stored is not None and people[0].stored.state is not None:
        state, active, portrait = people[0].stored.state, True, people[0].stored.portrait
    else:
        state, active, portrait = *_joined(census, group, newcomers), None
    memberships = {} if before is None or not (same or name in group.clusters) else before.summary.memberships
    if not same:
        for root in group.clusters:
            memberships = {**memberships, **census.held.clusters[root].summary.memberships}
        moved = {person.ref.id: _membership(person, name) for person in people}
        memberships = {**memberships, **{one: count for one, count in moved.items() if count > 1}}
        memberships = {one: count for one, count in memberships.items() if one in state.identities}
    elif not seated and _membership(people[0], name) > 1:
        memberships = {name: _membership(people[0], name)}
    last = None if group.area.kept else group.area.last
    elder = group.elder
    summary = Summary(elder.kind, elder.first_at, group.size, group.counts, last, active, memberships)
    touched = group.touched or not settled_as_before
    moved_row = touched or (before is not None and before.region != region)
    return Household(
        name, bytes.fromhex(name), version_of(name, census), touched, moved_row, seated, before, region, summary,
        state, portrait, tuple(sorted(group.people)),
    )  # fmt: skip


def _joined(census: Census, group: Group, newcomers: list[Person]) -> tuple[State, bool]:
    clusters = [census.held.clusters[root] for root in sorted(group.clusters)]
    states = [cluster.state for cluster in clusters if cluster.summary.active]
    states += [one.stored.state for one in newcomers if one.stored is not None and one.stored.state is not None]
    at = group.elder.first_at
    state = reduce(join, states) if states else State(at, at)
    refs = [ref for cluster in clusters for ref in cluster.state.identities.values()]
    refs += [person.ref for person in newcomers]
    # Of one customer alone, all identities: what its events named besides is somebody else's, or links say so.
    known = united({}, refs, MOST_IDENTITIES)
    return msgspec.structs.replace(state, identities=dict(known)), bool(states)


def _membership(person: Person, customer: str) -> int:
    if person.stored is None:
        return 1  # nobody was told of another
    return person.stored.membership + (person.customer != customer)


def _settled(person: Person, household: Household, census: Census) -> Settled:
    name, ref, stored = household.name, person.ref, person.stored
    moved = person.customer != name
    cluster = census.held.clusters.get(ref.id)
    told = was_told(stored, cluster)
    root = name if household.seated else None
    was = None if stored is None else stored.root
    version = 0 if stored is None else stored.version
    if moved or root != was or stored is None:
        version = max(version_of(ref.id, census), version) + 1
    standing = standing_of(person.node, told=told and (ref.id != name or not household.summary.active))
    if stored is not None and stored.standing is not None and stored.standing.told:
        standing = msgspec.structs.replace(standing, told=True)
    telling = None
    if told and moved and ref.id != name:
        telling = Telling.REDIRECT
    elif told and ref.id == name and not household.summary.active and household.touched:
        telling = Telling.REMOVED
    changed = stored is None or root != was or moved or standing != stored.standing
    return Settled(
        ref, bytes.fromhex(ref.id), stored, version, root, _membership(person, name), standing, name, changed, telling
    )


def was_told(stored: Stored | None, cluster: Cluster | None) -> bool:
    """Tell whether something stands under an identity's id on the topic; `cluster` is the customer called so."""
    if stored is None:
        return False
    if stored.standing is not None and stored.standing.told:
        return True
    if stored.root is None:
        return stored.state is not None
    return cluster is not None and cluster.summary.active
