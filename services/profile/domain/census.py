"""Who is who after a batch: edges are taken one after the other, by summaries, and by whole regions where those fail.

What is not loaded is asked for: a pass that raises `IncompleteError` is made anew once it is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.event import Event
from services.profile.domain.graph import Counts, Region, Turn, added, crowded, is_contested, resolve
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Cause, Edge, Link, Mark, Node, edge
from services.profile.domain.naming import elder, met_at
from services.profile.domain.sighting import Refused, Seat, Sighted, Unchanged, United, Untangle, sight
from shared.contracts.catalogue import ALIAS
from shared.contracts.identities import IdentityRef

Pair = tuple[str, str]


class IncompleteError(Exception):
    """These customers, or all in these regions, must be read with every identity and every link among them."""

    def __init__(self, roots: frozenset[str], regions: frozenset[str]) -> None:
        super().__init__(f"{len(roots)} customers and {len(regions)} regions must be read whole")
        self.roots = roots
        self.regions = regions


class Holdings(msgspec.Struct, frozen=True):
    """What was read: identities, their customers, the regions of those, and links.

    Of the customers in `whole`, and of all in the regions of `whole_regions`, every identity is here, with every link
    among all that are here; else only the links that were asked for.
    """

    identities: Mapping[str, Stored]
    refs: Mapping[str, IdentityRef]
    clusters: Mapping[str, Cluster]
    territories: Mapping[str, Territory]
    links: Mapping[Pair, Link]
    whole: frozenset[str] = frozenset()
    whole_regions: frozenset[str] = frozenset()
    all_links: bool = False


@dataclass(slots=True, eq=False)
class Area:
    """A region while edges are taken; uncontested, it is one group's own."""

    counts: Counts
    last: Turn | None
    contested: bool
    rows: dict[str, Territory]
    groups: "set[Group]" = field(default_factory=set)
    whole: bool = True
    changed: bool = False


@dataclass(slots=True, eq=False)
class Group:
    """A customer while edges are taken: identities that are here, and clusters that are in it as they were.

    `touched` says that its version must move.
    """

    elder: Node
    counts: Counts
    size: int
    area: Area
    people: set[str]
    clusters: set[str]
    touched: bool = False


@dataclass(slots=True, eq=False)
class Person:
    """An identity while edges are taken; `before` is how it stood."""

    ref: IdentityRef
    stored: Stored | None
    before: Node
    node: Node
    group: Group

    @property
    def customer(self) -> str:
        """Return whose it was."""
        return self.ref.id if self.stored is None or self.stored.root is None else self.stored.root


class Census:
    """Takes a batch's events; then `people`, `groups`, `areas` and `changed_links` say what became of whom."""

    def __init__(self, held: Holdings, rules: IdentityRules) -> None:
        self.held = held
        self.rules = rules
        self.people: dict[str, Person] = {}
        self.links: dict[Pair, Link] = dict(held.links)
        self.changed_links: dict[Pair, Link | None] = {}
        self.dissolved: dict[str, Territory] = {}
        self._groups: dict[str, Group] = {}
        self._areas: dict[str, Area] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Take events that were not taken before.

        Raises:
            IncompleteError: more must be read first.
        """
        for name in self.held.identities:
            if name in self.held.refs:
                self._known(self.held.refs[name], self.held.identities[name])
        for event in events:
            self._meet(event.owner, event)
            for other in event.others:
                self._meet(other, event)
            for one in edges_of(event):
                self._take(one)

    def _meet(self, ref: IdentityRef, event: Event) -> None:
        person = self.people.get(ref.id)
        if person is None:
            stored = self.held.identities.get(ref.id)
            person = self._new(ref, event) if stored is None else self._known(ref, stored)
        after = met_at(person.node, event.occurred_at)
        if after is not person.node:
            self._see(person, after)
            person.group.touched = True

    def _new(self, ref: IdentityRef, event: Event) -> Person:
        node = Node(ref.id, ref.kind, event.occurred_at, 0, self.rules.blocks(ref.kind, ref.value))
        person = self.people[ref.id] = Person(ref, None, node, node, self._alone(node))
        person.group.touched = True
        return person

    def _known(self, ref: IdentityRef, stored: Stored) -> Person:
        known = self.people.get(ref.id)
        if known is not None:
            return known
        standing = stored.standing
        if standing is not None:
            node = Node(
                ref.id, ref.kind, standing.first_at, standing.partners, standing.stands_for_nobody, standing.block,
                standing.signed_in,
            )  # fmt: skip
        elif stored.state is not None:
            node = Node(ref.id, ref.kind, stored.state.first_at, 0, self.rules.blocks(ref.kind, ref.value))
        else:
            raise ValueError("an identity that did nothing was named with another")
        group = self._alone(node) if stored.root is None else self._group(stored.root)
        group.people.add(ref.id)
        self.people[ref.id] = known = Person(ref, stored, node, node, group)
        return known

    def _alone(self, node: Node) -> Group:
        counts = {node.kind: 1}
        area = Area(counts, None, is_contested(counts, self.rules), {})
        group = Group(node, counts, 1, area, {node.id}, set())
        area.groups.add(group)
        return group

    def _group(self, root: str) -> Group:
        if root in self._groups:
            return self._groups[root]
        cluster = self.held.clusters[root]
        said = cluster.summary
        if cluster.region is None:
            area = Area(said.counts, said.last, contested=False, rows={})
        else:
            area = self._area(cluster.region)
        group = Group(Node(root, said.kind, said.first_at), said.counts, said.size, area, set(), {root})
        area.groups.add(group)
        self._groups[root] = group
        return group

    def _area(self, name: str) -> Area:
        area = self._areas.get(name)
        if area is None:
            row = self.held.territories[name]
            whole = name in self.held.whole_regions
            area = Area(row.summary.counts, row.summary.last, contested=True, rows={name: row}, whole=whole)
            self._areas[name] = area
        return area

    def _see(self, person: Person, node: Node) -> None:
        person.node = node
        group = person.group
        group.elder = node if group.elder.id == node.id else elder(group.elder, node, self.rules)

    def _take(self, one: Edge) -> None:
        a, b, known = self.people[one.a], self.people[one.b], self.links.get((one.a, one.b))
        sighted = sight(_seat(a), _seat(b), known, one, self.rules)
        link, fresh = sighted.link, _links_anew(known, sighted.link)
        if fresh:
            self.links[link.pair] = link
            self.changed_links.setdefault(link.pair, known)
        settled = isinstance(sighted.outcome, Unchanged)
        for person, node in ((a, sighted.a), (b, sighted.b)):
            # Who links nobody any more is not counted on: that it is popular would else cost each event a row.
            if settled and crowded(person.node, self.rules) and node.signed_in is person.node.signed_in:
                continue
            if fresh or node is not person.node or not settled:
                person.group.touched = person.group.area.changed = True
                self._see(person, node)
        self._follow(a, b, sighted)

    def _follow(self, a: Person, b: Person, sighted: Sighted) -> None:
        match sighted.outcome:
            case Unchanged(last):
                area = a.group.area
                if area.last != last:
                    area.last, area.changed, a.group.touched = last, True, True
            case United(last):
                self._unite_areas(a.group.area, b.group.area, last)
                if a.group is not b.group:
                    self._unite(a.group, b.group)
            case Refused(_, last):
                self._unite_areas(a.group.area, b.group.area, last)
            case Untangle(regions):
                areas = {str(id(person.group.area)): person.group.area for person in (a, b)}
                self._untangle([areas[name] for name in sorted(regions)])

    def _unite_areas(self, one: Area, other: Area, last: Turn) -> None:
        one.last, one.changed = last, True
        if one is other:
            return
        one.counts = added(one.counts, other.counts)
        one.contested = is_contested(one.counts, self.rules)
        one.rows |= other.rows
        one.groups |= other.groups
        one.whole = one.whole and other.whole
        for group in other.groups:
            group.area = one
        for name in other.rows:
            self._areas[name] = one

    def _unite(self, one: Group, other: Group) -> None:
        one.elder = elder(one.elder, other.elder, self.rules)
        one.counts = added(one.counts, other.counts)
        one.size += other.size
        one.people |= other.people
        one.clusters |= other.clusters
        one.touched = True
        for name in other.people:
            self.people[name].group = one
        for root in other.clusters:
            self._groups[root] = one
        one.area.groups.discard(other)

    def _untangle(self, areas: Iterable[Area]) -> None:
        groups = [group for area in areas for group in area.groups]
        roots = {root for group in groups for root in group.clusters} - self.held.whole
        regions = {name for area in areas if not area.whole for name in area.rows} - self.held.whole_regions
        if roots or regions or not self.held.all_links:
            raise IncompleteError(frozenset(roots), frozenset(regions))
        self.dissolved |= {name: row for area in areas for name, row in area.rows.items()}
        for group in groups:
            # Where a region's row does not guard what was decided here, each customer's own has to.
            group.touched = group.touched or not group.area.rows
        names = [name for group in groups for name in group.people]
        among = set(names)
        links = [link for link in self.links.values() if link.a in among and link.b in among]
        for found in resolve([self.people[name].node for name in names], links, self.rules).regions:
            self._enter(found)

    def _enter(self, found: Region) -> None:
        area = Area(found.counts, found.last, found.contested, {}, changed=True)
        for component in found.components:
            names = {node.id for node in component.members}
            # Whoever is as before keeps its version; what became of the rest shows when it is settled.
            group = Group(component.members[0], component.counts, len(names), area, names, set())
            area.groups.add(group)
            before = {self.people[name].group for name in names}
            group.touched = any(one.touched for one in before)
            for name in names:
                self.people[name].group = group


def edges_of(event: Event) -> list[Edge]:
    """List an event's edges, from its owner to each other identity."""
    if not event.others:
        return []
    said, owner = event.interaction, event.owner.id
    mark = Mark(event.occurred_at, said.message_id, said.source)
    cause = Cause.ALIAS if said.name == ALIAS else Cause.EVENT
    return [edge(owner, other.id, mark, cause) for other in event.others]


def _seat(person: Person) -> Seat:
    group = person.group
    area = group.area
    return Seat(person.node, str(id(group)), group.counts, str(id(area)), area.counts, area.contested, area.last)


def _links_anew(before: Link | None, after: Link) -> bool:
    return before is None or (before.first, before.cause) != (after.first, after.cause)
