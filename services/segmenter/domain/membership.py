"""Who enters and who leaves: judged only at the present, by what happened, by the clock, or by a new definition."""

from collections.abc import Iterable, Sequence

import msgspec

from services.segmenter.domain.catalogue import Catalogue, Segment
from services.segmenter.domain.customer import Customer, Standing, changed
from services.segmenter.domain.explanation import explain
from services.segmenter.domain.instants import NEVER
from shared.contracts.segments import Cause, Change, ClockCause, DefinitionCause, Fact, MergeCause

OUT = Standing(inside=False, sequence=0, at=-NEVER, definition_version=0)
_CLOCK = ClockCause()


class Transition(msgspec.Struct, frozen=True):
    """One entry or exit; `standing` is where the customer stands after it."""

    segment: str
    standing: Standing
    cause: Cause
    reason: tuple[Fact, ...]
    customer_version: int

    @property
    def change(self) -> Change:
        """Tell which of the two it is."""
        return Change.ENTERED if self.standing.inside else Change.EXITED


def react(
    catalogue: Catalogue, awake: Iterable[Segment], before: Customer, after: Customer, cause: Cause, at: int, now: int
) -> tuple[Customer, Sequence[Transition]]:
    """Judge what a message changed: `awake` are the segments that read what it said, `at` is when it happened.

    Only a truth that differs, at one and the same present, before and after the message is the message's doing. What
    time alone changed meanwhile is left to the clock, which fires after everything that waits unread: an old event read
    late must neither take a member out nor let one in.
    """
    if not after.known:
        return leave_all(catalogue, after, cause, now)
    differ = differing(catalogue, awake, before, after, now)
    if not differ:
        return after, ()
    transitions = [_transition(segment, after, cause, min(at, now), now, inside=truth) for segment, truth in differ]
    return moved(after, transitions), transitions


def differing(
    catalogue: Catalogue, awake: Iterable[Segment], before: Customer, after: Customer, now: int
) -> list[tuple[Segment, bool]]:
    """List the segments whose truth a message changed, with what it is now; all are judged of somebody new."""
    found = []
    known = before.known
    for segment in awake if known else catalogue.segments:
        truth = segment.holds(after, now)
        if truth is not _inside(after, segment.name) and not (known and segment.holds(before, now) is truth):
            found.append((segment, truth))
    return found


def settle(
    catalogue: Catalogue, customer: Customer, revision: int, fired_at: int, now: int
) -> tuple[Customer, Sequence[Transition]]:
    """Judge every segment because an instant fell due; `revision` is the catalogue that judged them last.

    What a definition that is newer than that says differently is the definition's doing, and takes effect now; anything
    else is time's, and took effect when it came true, at `fired_at` or later.
    """
    transitions = []
    for segment in catalogue.segments:
        truth = customer.known and segment.holds(customer, now)
        if truth is _inside(customer, segment.name):
            continue
        if segment.revision > revision:
            cause: Cause = DefinitionCause(segment.version)
            transitions.append(_transition(segment, customer, cause, now, now, inside=truth))
        else:
            since = _since(segment, customer, fired_at, now, truth=truth)
            transitions.append(_transition(segment, customer, _CLOCK, since, now, inside=truth))
    for name, standing in customer.standings.items():
        if standing.inside and name not in catalogue.names:
            version = catalogue.retired.get(name, standing.definition_version)
            left = Standing(False, standing.sequence + 1, max(now, standing.at), version)  # noqa: FBT003 - see Standing
            cause = DefinitionCause(version)
            transitions.append(Transition(name, left, cause, (), customer.customer_version))
    return moved(customer, transitions), transitions


def next_due(catalogue: Catalogue, customer: Customer, now: int) -> int | None:
    """Return the earliest instant at which time alone can change where a customer stands."""
    if customer.ties is not None and not customer.known:
        return None
    earliest = NEVER
    for segment in catalogue.timed:
        if not segment.reads.events.isdisjoint(customer.tallies):
            earliest = min(earliest, segment.look(customer, now)[1])
    return earliest if earliest < NEVER else None


def leave_all(
    catalogue: Catalogue, customer: Customer, cause: Cause, now: int
) -> tuple[Customer, Sequence[Transition]]:
    """Let a customer out of every segment: there is nobody any more."""
    versions = {segment.name: segment.version for segment in catalogue.segments}
    transitions = []
    for name, standing in customer.standings.items():
        if standing.inside:
            version = versions.get(name, standing.definition_version)
            kept = standing.at if isinstance(cause, MergeCause) else None
            left = Standing(False, standing.sequence + 1, max(now, standing.at), version, kept)  # noqa: FBT003 - see it
            transitions.append(Transition(name, left, cause, (), customer.customer_version))
    return moved(customer, transitions), transitions


def _inside(customer: Customer, segment: str) -> bool:
    standing = customer.standings.get(segment)
    return standing is not None and standing.inside


def _transition(segment: Segment, customer: Customer, cause: Cause, at: int, now: int, *, inside: bool) -> Transition:
    last = customer.standings.get(segment.name, OUT)
    # A late event must not make somebody leave before they entered.
    kept = None
    if not inside and customer.ties is not None and customer.ties.own is not None:
        # It may be somebody else's doing, who is parted from them one day: then they never left a stay of their own.
        kept = last.at if last.kept is None else None
    standing = Standing(inside, last.sequence + 1, max(at, last.at), segment.version, kept)
    return Transition(segment.name, standing, cause, explain(segment.rule, customer, now), customer.customer_version)


def _since(segment: Segment, customer: Customer, start: int, now: int, *, truth: bool) -> int:
    """Find the first instant from `start` on at which the rule has the truth that it has now."""
    at = start
    while at < now and segment.holds(customer, at) is not truth:
        at = segment.look(customer, at)[1]
    return min(at, now)


def moved(customer: Customer, transitions: Sequence[Transition]) -> Customer:
    """Return the customer standing where transitions led."""
    if not transitions:
        return customer
    moves = {transition.segment: transition.standing for transition in transitions}
    return changed(customer, standings=customer.standings | moves)
