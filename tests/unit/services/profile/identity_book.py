"""Identities, links, components and regions in memory, as a store must keep them: by summaries, edge by edge."""

from collections.abc import Iterable, Mapping

import msgspec

from services.profile.domain.graph import Counts, Region, Resolution, Turn, added, is_contested, resolve
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Block, Edge, Link, Node, Word
from services.profile.domain.naming import Membership, Renamed, begin, met_at, rename
from services.profile.domain.sighting import Outcome, Refused, Seat, Unchanged, United, Untangle, block, decide, sight


class Summary(msgspec.Struct):
    """What is kept of a region."""

    counts: Counts
    contested: bool
    last: Turn | None


class IdentityBook:
    """Applies edges and decisions; `read` counts the identities that had to be read to do so."""

    def __init__(self, rules: IdentityRules) -> None:
        self.rules = rules
        self.nodes: dict[str, Node] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.links_of: dict[str, set[tuple[str, str]]] = {}
        self.components: dict[str, set[str]] = {}
        self.counts: dict[str, Counts] = {}
        self.regions: dict[str, Summary] = {}
        self.component_of: dict[str, str] = {}
        self.region_of: dict[str, str] = {}
        self.components_in: dict[str, set[str]] = {}
        self.memberships: dict[str, Membership] = {}
        self.read = 0
        self.untangled = 0
        self._names = 0

    def meet(self, node: Node) -> None:
        """Take an identity that an event names."""
        known = self.nodes.get(node.id)
        if known is not None:
            self.nodes[node.id] = met_at(known, node.first_at)
            return
        self.nodes[node.id] = node
        self.links_of[node.id] = set()
        self.memberships[node.id] = begin(node.id)
        component, region = self._name(), self._name()
        self.counts[component] = {node.kind: 1}
        self.components[component], self.component_of[node.id] = {node.id}, component
        self.components_in[region], self.region_of[component] = {component}, region
        self.regions[region] = Summary({node.kind: 1}, is_contested({node.kind: 1}, self.rules), None)

    def take(self, one: Edge) -> Outcome:
        """Take an edge between two identities that were met."""
        a, b, pair = self.seat(one.a), self.seat(one.b), (one.a, one.b)
        sighted = sight(a, b, self.links.get(pair), one, self.rules)
        self._keep(sighted.link)
        self.nodes[one.a], self.nodes[one.b] = sighted.a, sighted.b
        self._follow(a, b, sighted.outcome)
        return sighted.outcome

    def decide(self, one: str, other: str, word: Word) -> Outcome:
        """Take a person's decision about two identities."""
        a, b = self.seat(min(one, other)), self.seat(max(one, other))
        link, outcome = decide(a, b, self.links.get((a.node.id, b.node.id)), word)
        self._keep(link)
        self._follow(a, b, outcome)
        return outcome

    def block(self, name: str, decision: Block) -> None:
        """Take a person's decision about one identity."""
        seat = self.seat(name)
        partners = [self.seat(end) for pair in self.links_of[name] for end in pair]
        self.nodes[name], outcome = block(seat, partners, decision)
        self._follow(seat, seat, outcome)

    def seat(self, name: str) -> Seat:
        """Read one identity with its summaries."""
        self.read += 1
        component = self.component_of[name]
        region = self.region_of[component]
        summary = self.regions[region]
        return Seat(
            self.nodes[name],
            component,
            self.counts[component],
            region,
            summary.counts,
            summary.contested,
            summary.last,
        )

    def groups(self) -> set[frozenset[str]]:
        """Return who is who."""
        return {frozenset(members) for members in self.components.values()}

    def rename(self, resolution: Resolution) -> Renamed:
        """Name customers after a resolution of everything, and remember it."""
        renamed = rename(self.memberships, resolution.components)
        self.memberships |= {move.identity_id: move.target for move in renamed.moves}
        return renamed

    def _keep(self, link: Link) -> None:
        self.links[link.pair] = link
        for end in link.pair:
            self.links_of[end].add(link.pair)

    def _name(self) -> str:
        self._names += 1
        return str(self._names)

    def _follow(self, a: Seat, b: Seat, outcome: Outcome) -> None:
        match outcome:
            case Unchanged(last):
                self.regions[a.region].last = last
            case United(last):
                region = self._unite_regions(a.region, b.region, last)
                if a.component != b.component:
                    self._unite_components(a.component, b.component)
                assert self.region_of[self.component_of[a.node.id]] == region
            case Refused(_, last):
                self._unite_regions(a.region, b.region, last)
            case Untangle(regions):
                self._untangle(regions)

    def _unite_regions(self, one: str, other: str, last: Turn) -> str:
        if one == other:
            self.regions[one].last = last
            return one
        small, large = sorted((one, other), key=lambda name: len(self.components_in[name]))
        for component in self.components_in.pop(small):
            self.region_of[component] = large
            self.components_in[large].add(component)
        counts = added(self.regions.pop(small).counts, self.regions[large].counts)
        self.regions[large] = Summary(counts, is_contested(counts, self.rules), last)
        return large

    def _unite_components(self, one: str, other: str) -> None:
        small, large = sorted((one, other), key=lambda name: len(self.components[name]))
        self.components_in[self.region_of.pop(small)].discard(small)
        for name in self.components[small]:
            self.component_of[name] = large
        self.components[large] |= self.components.pop(small)
        self.counts[large] = added(self.counts[large], self.counts.pop(small))

    def _untangle(self, regions: Iterable[str]) -> None:
        members: list[str] = []
        for region in regions:
            del self.regions[region]
            for component in self.components_in.pop(region):
                del self.region_of[component], self.counts[component]
                members += self.components.pop(component)
        self.read += len(members)
        self.untangled += 1
        links = {pair: self.links[pair] for name in members for pair in self.links_of[name]}
        for found in resolve([self.nodes[name] for name in members], links.values(), self.rules).regions:
            self._enter(found)

    def _enter(self, found: Region) -> None:
        region = self._name()
        self.regions[region] = Summary(found.counts, found.contested, found.last)
        self.components_in[region] = set()
        for component in found.components:
            name = self._name()
            self.components[name] = {node.id for node in component.members}
            self.counts[name] = component.counts
            self.components_in[region].add(name)
            self.region_of[name] = region
            self.component_of |= dict.fromkeys(self.components[name], name)


def everything(nodes: Mapping[str, Node], links: Mapping[tuple[str, str], Link], rules: IdentityRules) -> Resolution:
    """Resolve all at once."""
    return resolve(nodes.values(), links.values(), rules)


def groups(resolution: Resolution) -> set[frozenset[str]]:
    """Return who is who."""
    return {frozenset(node.id for node in component.members) for component in resolution.components}
