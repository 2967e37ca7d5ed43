"""Putting customers right that are not what their events say, as any other change of who is who would move them.

Versions go on, whoever leaves an id leaves a redirect there, and whatever is as it is to be keeps its version.
"""

from collections.abc import Mapping

import msgspec

from services.profile.domain.census import Census
from services.profile.domain.clusters import Cluster, Standing, Stored
from services.profile.domain.comparing import alike, joined, known_as
from services.profile.domain.holdings import Area, Holdings
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Link
from services.profile.domain.recounting import Recounted
from services.profile.domain.settling import Settlement, settle, was_told
from services.profile.domain.state import State


class Mended(msgspec.Struct, frozen=True):
    """What is to become of everybody in a region: who is who, and the states of those whose own is another."""

    settlement: Settlement
    states: Mapping[str, State]


def mend(held: Holdings, told: Recounted, unlike: frozenset[str], rules: IdentityRules) -> Mended:
    """Settle who is who from what events say; `held` is whole, and `unlike` are the identities that differ."""
    census = Correction(_restated(held, told), told, unlike, rules)
    states = {
        name: state
        for name, state in told.states.items()
        if name in held.identities and held.identities[name].state != state
    }
    return Mended(settle(census), states)


class Correction(Census):
    """A census in which everybody stands where their events say, and all regions are resolved anew."""

    def __init__(self, held: Holdings, told: Recounted, unlike: frozenset[str], rules: IdentityRules) -> None:
        super().__init__(held, rules, at_once=None)
        self.meet_all()
        for name, person in self.people.items():
            person.node = told.nodes[name]
            if name in unlike:
                person.group.touched = True
        self.links = dict(told.links)
        for pair in held.links.keys() - told.links.keys():
            self.links[pair] = Link(*pair)  # nothing is said of it
        for pair, link in self.links.items():
            known = held.links.get(pair)
            if not alike(known, link):
                self.changed_links[pair] = known
        # Also those that nobody leads to any more.
        self.dissolved = dict(held.territories)
        areas: dict[int, Area] = {id(person.group.area): person.group.area for person in self.people.values()}
        self._untangle(areas.values())


def _restated(held: Holdings, told: Recounted) -> Holdings:
    # Whose a state is to be, whoever the rows put there: a customer that keeps its members keeps its row's state.
    members = {one.members[0].id: [node.id for node in one.members] for one in told.resolution.components}
    identities: dict[str, Stored] = {}
    for name, stored in held.identities.items():
        state, standing = told.states.get(name), stored.standing
        if (told_of := was_told(stored, held.clusters.get(name))) or (state is None and standing is None):
            # What was published under its id is to be led elsewhere or taken back, whatever its state is to be.
            known = standing or Standing(told.nodes[name].first_at)
            standing = msgspec.structs.replace(known, told=told_of or known.told)
        identities[name] = msgspec.structs.replace(stored, state=state, standing=standing, portrait=None)
    clusters: dict[str, Cluster] = {}
    for root, cluster in held.clusters.items():
        mine, at = members.get(root, []), cluster.summary.first_at
        state, blank = joined(mine, told), State(at, at, known_as(mine, told))
        summary = msgspec.structs.replace(cluster.summary, active=state is not None)
        clusters[root] = msgspec.structs.replace(cluster, state=state or blank, summary=summary, portrait=None)
    return msgspec.structs.replace(
        held,
        identities=identities,
        clusters=clusters,
        whole=frozenset(clusters),
        whole_regions=frozenset(held.territories),
        all_links=True,
    )
