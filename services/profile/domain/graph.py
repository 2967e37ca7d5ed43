"""The identity graph in full: which links hold is a function of the set of links, whatever order they came in.

Links are taken in the order of their marks, as in Kruskal's minimum spanning forest; one whose union would exceed a
limit does not hold (then the weaker identifier is left out), so a late link can undo a later one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.links import Link, Mark, Node, Verdict

Counts = Mapping[str, int]
Turn = tuple[Mark, tuple[int, str, str], tuple[int, str, str]]
"""When a link is taken: its mark; of one event, the link with the stronger identities first."""


class Why(StrEnum):
    """Why a link does not hold."""

    OVER_LIMIT = "over_limit"
    NOBODY = "nobody"
    """One end was met with too many others, or its value stands for nobody."""
    BLOCKED = "blocked"
    KEPT_APART = "kept_apart"
    OTHER_SIGNED_IN = "other_signed_in"
    """A device follows somebody else."""
    SHARED_DEVICE = "shared_device"


class Dropped(msgspec.Struct, frozen=True, order=True):
    """A link that does not hold; `kind` names the limit that it would exceed."""

    pair: tuple[str, str]
    why: Why
    kind: str = ""


class Component(msgspec.Struct, frozen=True):
    """Identities that are one customer, strongest first, how many of each kind, and the links that hold them."""

    members: tuple[Node, ...]
    counts: Counts
    links: tuple[tuple[str, str], ...]


class Region(msgspec.Struct, frozen=True):
    """Components between which no link was refused but by a limit: whatever a late link can change lies within.

    `last` is the turn of its last link. While its identities together exceed no limit (`contested` is false), it is one
    component and turns do not matter.
    """

    components: tuple[Component, ...]
    counts: Counts
    contested: bool
    last: Turn | None


class Resolution(msgspec.Struct, frozen=True):
    """Who is who."""

    regions: tuple[Region, ...]
    dropped: tuple[Dropped, ...]

    @property
    def components(self) -> tuple[Component, ...]:
        """Return every customer."""
        return tuple(component for region in self.regions for component in region.components)


def strength(node: Node, rules: IdentityRules) -> tuple[int, str, str]:
    """Order identities by what never changes about them, strongest first."""
    return (*rules.rank(node.kind), node.id)


def seniority(node: Node, rules: IdentityRules) -> tuple[int, str, object, str]:
    """Order identities as customers are named after them: by kind, then the first seen, then by id."""
    return (*rules.rank(node.kind), node.first_at, node.id)


def crowded(node: Node, rules: IdentityRules) -> bool:
    """Tell whether an identity was met with more others than anybody has."""
    return node.partners > rules.most_partners


def unfit(link: Link, a: Node, b: Node, rules: IdentityRules) -> Why | None:
    """Tell why the events of a link may not hold it whatever the limits are, from its two ends; nothing if they may."""
    if a.blocked or b.blocked:
        return Why.BLOCKED
    if link.word is not None and link.word.verdict is Verdict.APART:
        return Why.KEPT_APART
    if crowded(a, rules) or crowded(b, rules):
        return Why.NOBODY
    return _elsewhere(a, b, rules) or _elsewhere(b, a, rules)


def forced(link: Link, a: Node, b: Node) -> Mark | None:
    """Tell since when people want a link, whatever the limits are; a blocked identity is linked by nobody."""
    word = link.word
    if word is None or word.verdict is not Verdict.TOGETHER or a.blocked or b.blocked:
        return None
    return word.mark


def _elsewhere(device: Node, person: Node, rules: IdentityRules) -> Why | None:
    signed_in = device.signed_in
    if signed_in is None or device.kind not in rules.devices or not rules.signs_in(person.kind):
        return None
    if rules.device_follows is DeviceFollows.VISIT:
        return Why.SHARED_DEVICE if signed_in.shared else None
    return None if signed_in.last == person.id else Why.OTHER_SIGNED_IN


def turn(mark: Mark, a: Node, b: Node, rules: IdentityRules) -> Turn:
    """Tell when a link is taken."""
    strong, weak = sorted((strength(a, rules), strength(b, rules)))
    return mark, weak, strong


def exceeded(one: Counts, other: Counts, rules: IdentityRules) -> str | None:
    """Name the first kind of which two components together would have too many; one that has already may grow else."""
    for kind in sorted(one.keys() & other.keys()):
        if one[kind] + other[kind] > rules.limit(kind):
            return kind
    return None


def added(one: Counts, other: Counts) -> Counts:
    """Count the identities of two components together."""
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in sorted(one.keys() | other.keys())}


def is_contested(counts: Counts, rules: IdentityRules) -> bool:
    """Tell whether so many identities cannot all be one customer: then it matters which links came first."""
    return any(count > rules.limit(kind) for kind, count in counts.items())


def resolve(nodes: Iterable[Node], links: Iterable[Link], rules: IdentityRules) -> Resolution:
    """Tell which links hold, and so which identities are one customer.

    `nodes` may be all identities or those of some whole regions; links to others are passed over. A decision that two
    belong together holds at its own turn, whatever the limits are; events before and after it keep to them.
    """
    forest = _Forest(nodes)
    taken: list[_Taken] = []
    dropped: dict[tuple[str, str], Dropped] = {}
    for link in links:
        a, b = forest.nodes.get(link.a), forest.nodes.get(link.b)
        if a is None or b is None:
            continue
        wanted = forced(link, a, b)
        if wanted is not None:
            taken.append(_Taken(turn(wanted, a, b, rules), forced=True, pair=link.pair))
        why = None if link.first is None else unfit(link, a, b, rules)
        if why is not None:
            dropped[link.pair] = Dropped(link.pair, why)
        elif link.first is not None:
            taken.append(_Taken(turn(link.first, a, b, rules), forced=False, pair=link.pair))
    holding: dict[tuple[str, str], None] = {}
    for one in sorted(taken):
        over = forest.unite(one.pair, rules, forced=one.forced)
        if over is None:
            holding[one.pair] = None
        else:
            dropped[one.pair] = Dropped(one.pair, Why.OVER_LIMIT, over)
    left = [one for pair, one in dropped.items() if pair not in holding]
    return Resolution(_regions(forest, sorted(taken), holding, rules), tuple(sorted(left)))


class _Taken(NamedTuple):
    turn: Turn
    forced: bool
    pair: tuple[str, str]


class _Forest:
    """Disjoint sets with how many of each kind they hold."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.id: node for node in nodes}
        self._parents = {name: name for name in self.nodes}
        self._counts: dict[str, Counts] = {name: {node.kind: 1} for name, node in self.nodes.items()}

    def find(self, name: str) -> str:
        parents = self._parents
        while parents[name] != name:
            parents[name] = name = parents[parents[name]]
        return name

    def unite(self, pair: tuple[str, str], rules: IdentityRules, *, forced: bool) -> str | None:
        """Unite two sets; return the kind of which that would be too many instead, unless it is forced."""
        one, other = self.find(pair[0]), self.find(pair[1])
        if one == other:
            return None
        over = None if forced else exceeded(self._counts[one], self._counts[other], rules)
        if over is None:
            self._parents[max(one, other)] = min(one, other)
            self._counts[min(one, other)] = added(self._counts[one], self._counts[other])
        return over

    def counts(self, name: str) -> Counts:
        return self._counts[self.find(name)]

    def sets(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = defaultdict(list)
        for name, node in self.nodes.items():
            found[self.find(name)].append(node)
        return found


def _regions(
    forest: _Forest, taken: Sequence[_Taken], holding: Iterable[tuple[str, str]], rules: IdentityRules
) -> tuple[Region, ...]:
    wide = _Forest(forest.nodes.values())
    for one in taken:
        wide.unite(one.pair, rules, forced=True)
    lasts = {wide.find(one.pair[0]): one.turn for one in taken}  # in order, so that the last one stays
    held: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in holding:
        held[forest.find(pair[0])].append(pair)
    components: dict[str, list[Component]] = defaultdict(list)
    for root, members in forest.sets().items():
        members.sort(key=lambda node: seniority(node, rules))
        component = Component(tuple(members), forest.counts(root), tuple(held[root]))
        components[wide.find(root)].append(component)
    return tuple(
        Region(
            tuple(sorted(some, key=lambda component: seniority(component.members[0], rules))),
            wide.counts(root),
            is_contested(wide.counts(root), rules),
            lasts.get(root),
        )
        for root, some in sorted(components.items())
    )
