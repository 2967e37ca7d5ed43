"""What a merge or its undoing does to where a customer stands: a stay that is given back is the same stay."""

from collections.abc import Iterable, Sequence

from services.segmenter.domain.catalogue import Catalogue, Segment
from services.segmenter.domain.customer import Customer, Standing
from services.segmenter.domain.explanation import explain
from services.segmenter.domain.instants import NEVER
from services.segmenter.domain.membership import OUT, Transition, differing, leave_all, moved
from shared.contracts.segments import MergeCause

MERGE = MergeCause()


def rejudge(
    catalogue: Catalogue, awake: Iterable[Segment], before: Customer, after: Customer, now: int, *, parted: bool
) -> tuple[Customer, Sequence[Transition]]:
    """Judge a customer whose identities, or whose record because of them, are others than before.

    Whoever is taken out takes the stay's `since` along, for the day that lets them in again for the same reason.
    Whoever is let in has been in since their own such stay began, else since the earliest of those who became part of
    them, else since now. With `parted`, identities went or came back: then what was done meanwhile counts as if they
    had never been together, and a stay that would have ended and begun anew began when it last did.
    """
    if not after.known:
        return leave_all(catalogue, after, MERGE, now)
    transitions = []
    for segment, truth in differing(catalogue, awake, before, after, now):
        last = after.standings.get(segment.name, OUT)
        if truth:
            at = _since(segment, after, last, now, parted=parted)
            kept = None if parted or at == last.kept else now
        else:
            at, kept = max(now, last.at), last.at
        standing = Standing(truth, last.sequence + 1, at, segment.version, kept)
        reason = explain(segment.rule, after, now)
        transitions.append(Transition(segment.name, standing, MERGE, reason, after.customer_version))
    if parted and before.known:
        transitions += _begun_anew(awake, after, transitions, now)
    return moved(after, transitions), transitions


def _begun_anew(
    awake: Iterable[Segment], customer: Customer, changes: Sequence[Transition], now: int
) -> list[Transition]:
    """End the stays that somebody held who is gone, and begin those that are the customer's own, which are shorter."""
    found = []
    judged = {transition.segment for transition in changes}
    for segment in awake:
        standing = customer.standings.get(segment.name, OUT)
        if not standing.inside or segment.name in judged or not segment.holds(customer, now):
            continue
        began = _began(segment, customer, -NEVER, now)
        # A stay that a merge began was never theirs alone; another was, as far as it began before they were together.
        if began > (standing.at if standing.kept is not None else max(standing.at, _together(customer))):
            reason, version = explain(segment.rule, customer, now), customer.customer_version
            # It may be held by somebody else who is still there.
            kept = now if customer.ties is not None and customer.ties.own is not None else None
            for inside, at in ((False, now), (True, began)):
                standing = Standing(inside, standing.sequence + 1, at, segment.version, kept if inside else None)
                found.append(Transition(segment.name, standing, MERGE, reason, version))
    return found


def _since(segment: Segment, customer: Customer, last: Standing, now: int, *, parted: bool) -> int:
    if parted:
        began = _began(segment, customer, -NEVER, now)
        if began > _together(customer) or (last.kept is None and began > -NEVER):
            return began
        if last.kept is not None:
            return last.kept
    elif last.kept is not None and _began(segment, customer, last.at, now) <= last.at:
        return last.kept
    carried = customer.ties.carried if customer.ties else None
    return carried.get(segment.name, now) if carried else now


def _together(customer: Customer) -> int:
    return customer.ties.together if customer.ties else 0


def _began(segment: Segment, customer: Customer, start: int, now: int) -> int:
    """Find since when, from `start` on, a rule that is true now has been so without a break, by the record as it is."""
    began, at = None, start
    while at < now:
        truth, until = segment.look(customer, at)
        began = (at if began is None else began) if truth else None
        at = until
    return now if began is None else began
