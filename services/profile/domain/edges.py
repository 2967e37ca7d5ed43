"""Which identities an event links: its owner with each other one."""

from services.profile.domain.event import Event
from services.profile.domain.links import Cause, Edge, Link, Mark, edge
from shared.contracts.catalogue import ALIAS


def edges_of(event: Event) -> list[Edge]:
    """List an event's edges, from its owner to each other identity."""
    if not event.others:
        return []
    said, owner = event.interaction, event.owner.id
    mark = Mark(event.occurred_at, said.message_id, said.source)
    cause = Cause.ALIAS if said.name == ALIAS else Cause.EVENT
    return [edge(owner, other.id, mark, cause) for other in event.others]


def is_news(before: Link | None, after: Link) -> bool:
    """Tell whether what is kept of a link became another."""
    return before is None or (before.first, before.cause) != (after.first, after.cause)
