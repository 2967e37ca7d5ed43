"""What one more edge changes about who is who, told from summaries of the two components that it touches.

The result is that of `graph.resolve` over everything. Most edges cost what is read of two identities, however large
their customers are: only where a limit was hit, and then only by a link that is earlier than the last one there or by a
device that goes over to somebody else, must a region be resolved anew. An identity with more partners than the rules
allow links nobody, so that a star never grows past that: it is taken apart once, and costs nothing from then on.
"""

from collections.abc import Iterable

import msgspec

from services.profile.domain.graph import (
    Counts,
    Dropped,
    Turn,
    Why,
    added,
    crowded,
    exceeded,
    is_contested,
    turn,
    unfit,
)
from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.links import Block as Blocking
from services.profile.domain.links import Edge, Link, Node, Word, blocking, decided, seen, signing_in


class Seat(msgspec.Struct, frozen=True):
    """An identity with its component and its region, each by a name of the store's and what it counts.

    `last` is the turn of the region's last link or a later one; an uncontested region is one component.
    """

    node: Node
    component: str
    counts: Counts
    region: str
    region_counts: Counts
    contested: bool
    last: Turn | None


class Unchanged(msgspec.Struct, frozen=True):
    """Who is who stays as it was; the region's last link is at `last`."""

    last: Turn | None


class United(msgspec.Struct, frozen=True):
    """Both components are one now, and so are their regions."""

    last: Turn


class Refused(msgspec.Struct, frozen=True):
    """Together they would have too many of `kind`: the components stay apart, their regions are one and contested."""

    kind: str
    last: Turn


class Untangle(msgspec.Struct, frozen=True):
    """The order of links decides: resolve the identities of these regions anew, with all links among them."""

    regions: frozenset[str]


Outcome = Unchanged | United | Refused | Untangle


class Sighted(msgspec.Struct, frozen=True):
    """The link and both ends as they are to be kept, and what that means; `left` tells why a new pair is not linked."""

    link: Link
    a: Node
    b: Node
    outcome: Outcome
    left: Dropped | None = None


def sight(a: Seat, b: Seat, link: Link | None, edge: Edge, rules: IdentityRules) -> Sighted:
    """Take one edge that was not taken before; `a` and `b` are the seats of its ends, `link` what is known of them."""
    known = seen(link, edge)
    fresh = link is None or link.first is None
    one, other = _met(a.node, b.node, edge, rules, fresh=fresh), _met(b.node, a.node, edge, rules, fresh=fresh)
    outcome = _outcome(a, b, (one, other), (link, known), rules)
    return Sighted(known, one, other, outcome, _left(known, one, other, outcome, rules) if fresh else None)


def _left(link: Link, a: Node, b: Node, outcome: Outcome, rules: IdentityRules) -> Dropped | None:
    if isinstance(outcome, Refused):
        return Dropped(link.pair, Why.OVER_LIMIT, outcome.kind)
    why = unfit(link, a, b, rules)
    return None if why is None else Dropped(link.pair, why)


def _met(node: Node, partner: Node, edge: Edge, rules: IdentityRules, *, fresh: bool) -> Node:
    signed_in = node.signed_in
    if node.kind in rules.devices and rules.signs_in(partner.kind):
        signed_in = signing_in(signed_in, partner.id, edge.mark)
    if not fresh and signed_in is node.signed_in:
        return node
    return msgspec.structs.replace(node, partners=node.partners + fresh, signed_in=signed_in)


def _outcome(
    a: Seat, b: Seat, after: tuple[Node, Node], links: tuple[Link | None, Link], rules: IdentityRules
) -> Outcome:
    moved = [seat.region for seat, now in zip((a, b), after, strict=True) if _others_change(seat.node, now, rules)]
    before, link = links
    first = link.first
    if not moved and (first is None or (before is not None and before.first == first)):
        return Unchanged(a.last)
    why = unfit(link, *after, rules)
    if moved:
        # What this very link does is seen to on the way, so both ends are in it unless it may not hold.
        return Untangle(frozenset(moved if why is not None else (a.region, b.region)))
    if why is not None or first is None:
        return Unchanged(a.last)
    return _place(a, b, turn(first, *after, rules), rules)


def _others_change(before: Node, now: Node, rules: IdentityRules) -> bool:
    """Tell whether an identity's other links may hold no longer, or may hold again."""
    if before is now:
        return False
    if crowded(now, rules) != crowded(before, rules):
        return True
    was, signed_in = before.signed_in, now.signed_in
    if was is None or signed_in is None or was is signed_in:
        return False
    if rules.device_follows is DeviceFollows.VISIT:
        return was.shared != signed_in.shared
    return was.last != signed_in.last


def _place(a: Seat, b: Seat, at: Turn, rules: IdentityRules) -> Outcome:
    late = any(seat.last is not None and at < seat.last for seat in (a, b))
    last = at if not late else _later(_later(a.last, b.last), at)
    if a.component == b.component:
        # Whatever held between them meanwhile still does, unless people made the component larger than its limits.
        return Untangle(frozenset((a.region,))) if late and is_contested(a.counts, rules) else Unchanged(last)
    together = a.region_counts if a.region == b.region else added(a.region_counts, b.region_counts)
    if not is_contested(together, rules):
        return United(last or at)
    if late:
        return Untangle(frozenset((a.region, b.region)))
    over = exceeded(a.counts, b.counts, rules)
    return United(at) if over is None else Refused(over, at)


def _later(one: Turn | None, other: Turn | None) -> Turn | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def decide(a: Seat, b: Seat, link: Link | None, word: Word) -> tuple[Link, Outcome]:
    """Take a person's decision about two identities; unless a later one is known, both regions are resolved anew."""
    after = decided(link, (a.node.id, b.node.id), word)
    if after is link:
        return after, Unchanged(a.last)
    return after, Untangle(frozenset((a.region, b.region)))


def block(seat: Seat, partners: Iterable[Seat], decision: Blocking) -> tuple[Node, Outcome]:
    """Take a person's decision whether an identity stands for anybody; `partners` are all identities it has links to.

    A blocked identity leaves its region; an unblocked one may connect those of its partners.
    """
    after = blocking(seat.node, decision)
    if after.blocked == seat.node.blocked:
        return after, Unchanged(seat.last)
    return after, Untangle(frozenset((seat.region, *(partner.region for partner in partners))))
