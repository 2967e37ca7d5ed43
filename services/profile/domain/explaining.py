"""Why identities are one customer: the links that hold them, and those that do not, with what each rests on."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from services.profile.domain.census import Census
from services.profile.domain.graph import Dropped, Why, resolve, seniority
from services.profile.domain.holdings import IncompleteError, Pair
from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.links import Link, Node, Verdict


class Reason(StrEnum):
    """What a link rests on."""

    EVENT = "event"
    ALIAS = "alias"
    DECISION = "decision"


class Grounds(msgspec.Struct, frozen=True):
    """A customer's identities, strongest first, with the links that hold and those that were left out.

    `everybody` is all who were looked at.
    If the region is `upset`, what holds is not what the tables have yet: the clock sees to it within a minute.
    """

    members: tuple[Node, ...]
    holding: tuple[Link, ...]
    dropped: tuple[tuple[Dropped, Link], ...]
    everybody: tuple[Node, ...]
    upset: bool


def surround(census: Census, name: str) -> frozenset[str]:
    """See that everybody is here who could be the same customer as somebody; returns whose customer it is.

    Raises:
        IncompleteError: they must be read first.
    """
    area = census.people[name].group.area
    if not area.whole:
        raise IncompleteError(frozenset(), frozenset(area.rows))
    census.gather((name,))
    return frozenset(census.people[name].group.people)


def grounds(census: Census, name: str) -> Grounds:
    """Tell why somebody is who they are, from all who are here: a whole region, and whoever else was named with it.

    Raises:
        IncompleteError: more must be read first.
    """
    members = surround(census, name)
    nodes = [person.node for person in census.people.values()]
    resolution = resolve(nodes, census.links.values(), census.rules)
    component = next(one for one in resolution.components if any(node.id == name for node in one.members))
    upset = census.people[name].group.area.upset
    mine = frozenset(node.id for node in component.members) | members
    return Grounds(
        tuple(sorted(component.members, key=lambda node: seniority(node, census.rules))),
        tuple(sorted((census.links[pair] for pair in component.links), key=_first)),
        tuple((one, census.links[one.pair]) for one in resolution.dropped if mine & set(one.pair)),
        tuple(nodes),
        upset,
    )


def reason_of(link: Link) -> Reason:
    """Tell what a link that holds rests on."""
    if link.word is not None and link.word.verdict is Verdict.TOGETHER:
        return Reason.DECISION
    return Reason(link.cause.value)


def in_words(dropped: Dropped, rules: IdentityRules) -> str:
    """Say why a link does not hold."""
    match dropped.why:
        case Why.OVER_LIMIT:
            return f"together they would have more than {rules.limit(dropped.kind)} of {dropped.kind}"
        case Why.NOBODY:
            return f"one of them was met with more than {rules.most_partners} others, so it stands for nobody"
        case Why.BLOCKED:
            return "one of them is blocked"
        case Why.KEPT_APART:
            return "people keep them apart"
        case Why.OTHER_SIGNED_IN:
            return "somebody else signed in on the device since"
        case Why.SHARED_DEVICE:
            return f"several people signed in on the device, and devices follow the {DeviceFollows.VISIT}"


def outside(links: Mapping[Pair, Link], members: Iterable[str]) -> frozenset[str]:
    """Return who else these links lead to."""
    return frozenset(end for pair in links for end in pair) - frozenset(members)


def _first(link: Link) -> tuple[bool, object]:
    return link.first is None, link.first or link.pair
