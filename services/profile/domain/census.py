"""Who is who after a batch: edges are taken one after the other, by summaries, and by whole regions where those fail.

What is not loaded is asked for: a pass that raises `IncompleteError` is made anew once it is there.
"""

from collections.abc import Iterable
from datetime import datetime

from services.profile.domain.clusters import Stored, Territory
from services.profile.domain.edges import is_news
from services.profile.domain.event import Event
from services.profile.domain.glimpses import Glimpses, glimpse
from services.profile.domain.graph import Dropped, Region, Turn, added, crowded, is_contested, resolve
from services.profile.domain.holdings import Area, Group, Holdings, IncompleteError, Pair, Person, seat_of
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Block, Edge, Link, Node, Word, seen
from services.profile.domain.naming import elder, met_at
from services.profile.domain.sighting import Outcome, Refused, Unchanged, United, Untangle, block, decide, sight
from shared.contracts.identities import IdentityRef

MOST_AT_ONCE = 2000
"""Identities of which a batch of events resolves the links anew; a larger region waits for the clock.

Twice as many as one may be met with, so that a star is taken apart as soon as it stands for nobody.
"""


class Census:
    """Takes a batch's events, or people's decisions; then `people` and `changed_links` say what became of whom.

    Regions of more than `at_once` identities are left upset instead of resolved; None resolves all.
    """

    def __init__(self, held: Holdings, rules: IdentityRules, at_once: int | None = MOST_AT_ONCE) -> None:
        self.held = held
        self.rules = rules
        self._at_once = at_once
        self.people: dict[str, Person] = {}
        self.links: dict[Pair, Link] = dict(held.links)
        self.changed_links: dict[Pair, Link | None] = {}
        self.dissolved: dict[str, Territory] = {}
        self.fresh: dict[Pair, Dropped | None] = {}
        self.dropped: dict[Pair, Dropped] = {}
        self.resolved: set[str] = set()
        self._groups: dict[str, Group] = {}
        self._areas: dict[str, Area] = {}

    def take(self, events: Iterable[Event]) -> None:
        """Take events that were not taken before.

        Raises:
            IncompleteError: more must be read first.
        """
        self.see(glimpse(events))

    def see(self, glimpses: Glimpses) -> None:
        """Take what events that were not taken before tell about who is who.

        Raises:
            IncompleteError: more must be read first.
        """
        self.meet_all()
        for ref, at in glimpses.met.values():
            self._meet(ref, at)
        for first, last in glimpses.pairs:
            known = self.links.get((first.a, first.b))
            if first is last or is_news(known, seen(known, first)):
                self._take(first)
            if first is not last:
                self._take(last)
        self._resolve()

    def meet_all(self) -> None:
        """Seat everybody who was read."""
        for name in self.held.identities:
            if name in self.held.refs:
                self._known(self.held.refs[name], self.held.identities[name])

    def say(self, one: str, other: str, word: Word) -> None:
        """Take a person's decision about two identities that are here, with what is known of the pair.

        Raises:
            IncompleteError: more must be read first.
        """
        a, b = self.people[min(one, other)], self.people[max(one, other)]
        known = self.links.get((a.ref.id, b.ref.id))
        link, outcome = decide(seat_of(a), seat_of(b), known, word)
        if link is known:  # people said something else later
            return
        self.links[link.pair] = link
        self.changed_links.setdefault(link.pair, known)
        for person in (a, b):
            person.group.touched = person.group.area.changed = True
        self._follow(outcome, (a, b))
        self._resolve()

    def block(self, name: str, decision: Block) -> None:
        """Take a person's decision about one identity that is here, with all its links and whom they lead to.

        Raises:
            IncompleteError: more must be read first.
        """
        person = self.people[name]
        ends = {end for pair in self.links if name in pair for end in pair} if not decision.blocked else {name}
        partners = [self.people[end] for end in sorted(ends)]
        node, outcome = block(seat_of(person), map(seat_of, partners), decision)
        if node is person.node:
            return
        person.group.touched = person.group.area.changed = True
        self._see(person, node)
        self._follow(outcome, (person, *partners))
        self._resolve()

    def gather(self, names: Iterable[str]) -> None:
        """See that of these identities' customers everybody is here, with every link among all who are.

        Raises:
            IncompleteError: they must be read first.
        """
        roots = {root for name in names for root in self.people[name].group.clusters} - self.held.whole
        if roots or not self.held.all_links:
            raise IncompleteError(frozenset(roots), frozenset())

    def straighten(self, region: str) -> None:
        """Resolve a region that was left upset.

        Raises:
            IncompleteError: it must be read first.
        """
        area = self._areas.get(region)
        if area is None:
            raise IncompleteError(frozenset(), frozenset({region}))
        if area.upset and region not in self.dissolved:
            self._untangle([area])

    def _meet(self, ref: IdentityRef, at: datetime) -> None:
        person = self.people.get(ref.id)
        if person is None:
            stored = self.held.identities.get(ref.id)
            person = self._new(ref, at) if stored is None else self._known(ref, stored)
        after = met_at(person.node, at)
        if after is not person.node:
            self._see(person, after)
            person.group.touched = True

    def _new(self, ref: IdentityRef, at: datetime) -> Person:
        node = Node(ref.id, ref.kind, at, 0, self.rules.blocks(ref.kind, ref.value))
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
            area.upset = row.due is not None
            self._areas[name] = area
        return area

    def _see(self, person: Person, node: Node) -> None:
        person.node = node
        group = person.group
        group.elder = node if group.elder.id == node.id else elder(group.elder, node, self.rules)

    def _take(self, one: Edge) -> None:
        a, b, known = self.people[one.a], self.people[one.b], self.links.get((one.a, one.b))
        sighted = sight(seat_of(a), seat_of(b), known, one, self.rules)
        link, fresh = sighted.link, is_news(known, sighted.link)
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
        self._follow(sighted.outcome, (a, b))
        if known is None or known.first is None:
            self.fresh[link.pair] = sighted.left

    def _follow(self, outcome: Outcome, people: tuple[Person, ...]) -> None:
        a, b = people[0], people[-1]
        match outcome:
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
                known = {str(id(person.group.area)): person.group.area for person in people}
                self._upset([known[name] for name in sorted(regions)])

    def _resolve(self) -> None:
        """Resolve whatever was upset, all at once: each by itself would be one more reading and one more pass."""
        areas = {id(person.group.area): person.group.area for person in self.people.values()}
        upset = [area for area in areas.values() if area.upset]
        found = [area for area in upset if self._at_once is None or area.size <= self._at_once]
        if found:
            self._untangle(found)

    def _upset(self, areas: list[Area]) -> None:
        first, *others = areas
        for other in others:
            lasts = [area.last for area in (first, other) if area.last is not None]
            self._unite_areas(first, other, max(lasts, default=None))
        first.upset = first.changed = True

    def _unite_areas(self, one: Area, other: Area, last: Turn | None) -> None:
        one.last, one.changed = last, True
        if one is not other:
            one.absorb(other, contested=is_contested(added(one.counts, other.counts), self.rules))
            self._areas |= dict.fromkeys(other.rows, one)

    def _unite(self, one: Group, other: Group) -> None:
        one.absorb(other, elder(one.elder, other.elder, self.rules))
        for name in other.people:
            self.people[name].group = one
        for root in other.clusters:
            self._groups[root] = one

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
        resolution = resolve([self.people[name].node for name in names], links, self.rules)
        self.dropped |= {one.pair: one for one in resolution.dropped}
        self.resolved |= among
        for found in resolution.regions:
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
