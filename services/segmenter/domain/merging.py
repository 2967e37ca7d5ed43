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
            at, kept = _since(segment, after, last, now, parted=parted), None
        else:
            at, kept = max(now, last.at), last.at
        standing = Standing(truth, last.sequence + 1, at, segment.version, kept)
        reason = explain(segment.rule, after, now)
        transitions.append(Transition(segment.name, standing, MERGE, reason, after.customer_version))
    return moved(after, transitions), transitions


def _since(segment: Segment, customer: Customer, last: Standing, now: int, *, parted: bool) -> int:
    carried = customer.ties.carried if customer.ties else None
    kept = last.kept if last.kept is not None else carried.get(segment.name) if carried else None
    if not parted:
        return now if kept is None else kept
    # Of their own stay only what came after they were taken out is in question.
    start = last.at if last.kept is not None else -NEVER
    began = _began(segment, customer, start, now)
    if began > start:
        return began
    return now if kept is None else kept


def _began(segment: Segment, customer: Customer, start: int, now: int) -> int:
    """Find since when, from `start` on, a rule that is true now has been so without a break, by the record as it is."""
    began, at = None, start
    while at < now:
        truth, until = segment.look(customer, at)
        began = (at if began is None else began) if truth else None
        at = until
    return now if began is None else began
