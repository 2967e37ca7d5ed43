"""Rows against what events say: which customers are not what they are to be, and the first thing that tells.

A difference is named by where it is, never by what stands there. What arrival decides is no difference: versions,
memberships, and turns that are later than they need be.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

import msgspec

from services.profile.domain.clusters import Cluster, Standing, Stored
from services.profile.domain.graph import Component, Region, Turn
from services.profile.domain.holdings import Holdings, Pair
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.join import join
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.links import Link, Node
from services.profile.domain.record import lifecycle_of, record_of
from services.profile.domain.recounting import Recounted
from services.profile.domain.registers import united
from services.profile.domain.state import State
from shared.contracts.codec import canonical
from shared.contracts.customers import MOST_IDENTITIES
from shared.contracts.identities import IdentityRef

TIMELINE = "timeline."
"""How the place of an event begins of which this version cannot read what it did."""


class Difference(NamedTuple):
    """A customer whose rows are not what its events say, and where that shows first."""

    customer_id: str
    path: str


class Compared(msgspec.Struct, frozen=True):
    """What comparing came to; `pending` are customers that the clock has yet to resolve, of which nothing is told."""

    customers: int
    pending: int
    differences: tuple[Difference, ...]
    unlike: frozenset[str]
    """Every identity of a customer that differs, and is to be put right."""


def compare(
    held: Holdings,
    told: Recounted,
    rules: IdentityRules,
    stages: Stages = USUAL,
    published: Stages | None = None,
    unreadable: Mapping[str, str] = {},
) -> Compared:
    """Compare rows with what their events say: `held` is whole, and so are the regions in `told`.

    Records that were `published` by other stages differ where those tell another lifecycle. Of whom an event is
    `unreadable` (where, by identity), that is told, and nobody of that customer's region is to be touched.
    """
    return _Comparison(held, told, rules, (stages, published or stages), unreadable).result()


def joined(members: Iterable[str], told: Recounted) -> State | None:
    """Return the state of the customer of these identities; none if nothing was done by them."""
    names = sorted(members)
    states = [told.states[name] for name in names if name in told.states]
    return msgspec.structs.replace(reduce(join, states), identities=known_as(names, told)) if states else None


def known_as(members: Iterable[str], told: Recounted) -> dict[str, IdentityRef]:
    """Return what somebody is known as; of too many, the strongest.

    Whoever is a customer alone keeps what it was known as before there were links, as it does until there is one.
    """
    names = sorted(members)
    alone = told.states.get(names[0]) if len(names) == 1 else None
    also = () if alone is None else alone.identities.values()
    return dict(united({}, (*[told.refs[name] for name in names], *also), MOST_IDENTITIES))


class _Comparison:
    def __init__(
        self,
        held: Holdings,
        told: Recounted,
        rules: IdentityRules,
        stages: tuple[Stages, Stages],
        unreadable: Mapping[str, str],
    ) -> None:
        self._held = held
        self._told = told
        self._rules = rules
        self._stages, self._published = stages
        self._links = _by_end(told.links, held.links)
        self._unreadable = unreadable
        # Who is somewhere else by the rows would take what is not all of it along.
        self._untouchable = {held.identities[name].root or name for name in unreadable if name in held.identities}

    def result(self) -> Compared:
        customers = pending = 0
        found: list[Difference] = []
        unlike: set[str] = set()
        for region in self._told.resolution.regions:
            if self._is_upset(region):
                pending += len(region.components)
                continue
            if self._is_untouchable(region):
                customers += len(region.components)
                found += [one for component in region.components if (one := self._unread(component)) is not None]
                continue
            for component in region.components:
                customers += 1
                path = self._path(region, component)
                if path is not None:
                    found.append(Difference(component.members[0].id, path))
                    unlike |= {node.id for node in component.members}
        return Compared(customers, pending, tuple(found), frozenset(unlike))

    def _is_untouchable(self, region: Region) -> bool:
        rows = self._held.identities
        return bool(self._untouchable) and any(
            node.id in self._unreadable or (node.id in rows and (rows[node.id].root or node.id) in self._untouchable)
            for component in region.components
            for node in component.members
        )

    def _unread(self, component: Component) -> Difference | None:
        found = sorted(self._unreadable[node.id] for node in component.members if node.id in self._unreadable)
        return Difference(component.members[0].id, found[0]) if found else None

    def _is_upset(self, region: Region) -> bool:
        for component in region.components:
            for node in component.members:
                cluster = self._cluster(self._held.identities.get(node.id))
                row = None if cluster is None or cluster.region is None else self._held.territories.get(cluster.region)
                if row is not None and row.due is not None:
                    return True
        return False

    def _cluster(self, stored: Stored | None) -> Cluster | None:
        return None if stored is None or stored.root is None else self._held.clusters.get(stored.root)

    def _path(self, region: Region, component: Component) -> str | None:
        name = component.members[0].id
        seated = len(component.members) > 1 or region.contested
        root = name if seated else None
        rows = [self._held.identities.get(node.id) for node in component.members]
        if any(row is None or row.root != root for row in rows) or (name in self._held.clusters) is not seated:
            return "$.identities"
        return (
            self._record(component, seated=seated)
            or next((path for node in component.members if (path := self._place(node, seated=seated))), None)
            or (self._summary(region, component) if seated else None)
        )

    def _record(self, component: Component, *, seated: bool) -> str | None:
        name = component.members[0].id
        row, cluster = self._held.identities[name], self._held.clusters.get(name)
        live = row.state if cluster is None else cluster.state if cluster.summary.active else None
        state = joined([node.id for node in component.members], self._told)
        if live is None or state is None:
            path = None if live is state and self._is_blank(component) else "$"
        else:
            path = self._moved_on(live) if live == state else self._first_path(name, live, state)
        if path is not None or not seated:
            return path
        for node in component.members:
            if self._held.identities[node.id].state != self._told.states.get(node.id):
                return f"identities.{node.id}.state"
        return None

    def _is_blank(self, component: Component) -> bool:
        """Tell whether a customer by whom nothing was done has nothing but its identities, if it has a row."""
        cluster = self._held.clusters.get(component.members[0].id)
        if cluster is None:
            return True
        state = cluster.state
        known = known_as([node.id for node in component.members], self._told)
        return state == State(state.first_at, state.last_at, known)

    def _moved_on(self, state: State) -> str | None:
        if self._published == self._stages or lifecycle_of(state, self._published) is lifecycle_of(state, self._stages):
            return None
        return "$.lifecycle"

    def _first_path(self, name: str, live: State, state: State) -> str:
        one, other = (json.loads(canonical(record_of(name, some, self._stages))) for some in (live, state))
        found = first_difference(one, other)
        if found is not None:
            return found
        field = next(name for name in State.__struct_fields__ if getattr(live, name) != getattr(state, name))
        return f"state.{field}"

    def _place(self, node: Node, *, seated: bool) -> str | None:
        known = self._held.identities[node.id].standing
        if known is None:
            unnamed = node.partners == 0 and node.signed_in is None and node.block is None and not seated
            return None if unnamed else f"identities.{node.id}.standing"
        if not _stands_alike(known, node, self._rules.most_partners + 1):
            return f"identities.{node.id}.standing"
        for pair in self._links.get(node.id, ()):
            if not alike(self._held.links.get(pair), self._told.links.get(pair)):
                return f"links.{pair[0]}.{pair[1]}"
        return None

    def _summary(self, region: Region, component: Component) -> str | None:
        elder = component.members[0]
        cluster = self._held.clusters[elder.id]
        said = cluster.summary
        if (said.kind, said.first_at, said.size, said.counts) != (
            elder.kind, elder.first_at, len(component.members), component.counts,
        ):  # fmt: skip
            return "customer.summary"
        if not region.contested:
            return None if cluster.region is None and _reaches(said.last, region.last) else "customer.summary"
        first = self._held.clusters.get(region.components[0].members[0].id)
        row = None if cluster.region is None else self._held.territories.get(cluster.region)
        if row is None or first is None or first.region != cluster.region:
            return "customer.region"
        alike = row.summary.counts == region.counts and _reaches(row.summary.last, region.last)
        return None if alike else "customer.region"


def alike(one: Link | None, other: Link | None) -> bool:
    """Tell whether two links say the same; one that says nothing is none."""
    return _said(one) == _said(other)


def _said(link: Link | None) -> object:
    if link is None or (link.first is None and link.word is None):
        return None
    return link.first, None if link.first is None else link.cause, link.word


def _stands_alike(known: Standing, node: Node, most: int) -> bool:
    # Above the limit nobody is counted on.
    return (
        known.first_at, min(known.partners, most), known.stands_for_nobody, known.block, known.signed_in,
    ) == (node.first_at, min(node.partners, most), node.stands_for_nobody, node.block, node.signed_in)  # fmt: skip


def _reaches(known: Turn | None, last: Turn | None) -> bool:
    return last is None or (known is not None and known >= last)


def _by_end(*links: Mapping[Pair, Link]) -> Mapping[str, Sequence[Pair]]:
    found: dict[str, dict[Pair, None]] = {}
    for some in links:
        for pair in some:
            for end in pair:
                found.setdefault(end, {})[pair] = None
    return {end: sorted(pairs) for end, pairs in found.items()}


def first_difference(one: Any, other: Any, path: str = "$") -> str | None:
    """Name the first place where two JSON documents differ, in the order of their keys."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                return f"{path}.{key}"
            found = first_difference(one[key], other[key], f"{path}.{key}")
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        for index, (left, right) in enumerate(zip(one, other, strict=False)):
            found = first_difference(left, right, f"{path}[{index}]")
            if found is not None:
                return found
        return None if len(one) == len(other) else f"{path}[{min(len(one), len(other))}]"
    return None if one == other else path
