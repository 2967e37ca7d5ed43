"""What of a batch's events tells anything about who is who: of each pair the first and the last one.

A link keeps its first event, and a device who signed in last; both are extremes, so what lies between moves nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from services.profile.domain.edges import cause_of, edge_of, mark_of
from services.profile.domain.event import Event
from services.profile.domain.links import Cause, Edge, Mark
from shared.contracts.identities import IdentityRef


class Glimpses(msgspec.Struct, frozen=True):
    """Everybody whom some events name, with the first time of each, and of each pair its first and its last edge."""

    met: Mapping[str, tuple[IdentityRef, datetime]]
    pairs: tuple[tuple[Edge, Edge], ...]


def glimpse(events: Iterable[Event]) -> Glimpses:
    """Look at events that were not taken before."""
    met: dict[str, tuple[IdentityRef, datetime]] = {}
    firsts: dict[tuple[str, str], Event] = {}
    lasts: dict[tuple[str, str], Event] = {}
    for event in events:
        at, owner = event.occurred_at, event.owner
        for one in (owner, *event.others):
            known = met.get(one.id)
            if known is None or at < known[1]:
                met[one.id] = one, at
        for other in event.others:
            # The owner is the strongest of all, so of two identities it is always the same.
            pair = owner.id, other.id
            first = firsts.get(pair)
            if first is None:
                firsts[pair] = lasts[pair] = event
            elif at < first.occurred_at:
                firsts[pair] = event
            elif at > lasts[pair].occurred_at:
                lasts[pair] = event
            elif at in (first.occurred_at, lasts[pair].occurred_at):  # of one moment; seldom enough to look closely
                firsts[pair] = min(first, event, key=_when)
                lasts[pair] = max(lasts[pair], event, key=_when)
    return Glimpses(met, tuple((edge_of(firsts[pair], pair[1]), edge_of(lasts[pair], pair[1])) for pair in firsts))


def _when(event: Event) -> tuple[Mark, Cause]:
    return mark_of(event), cause_of(event)
