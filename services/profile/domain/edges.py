"""Which identities an event links: its owner with each other one."""

from services.profile.domain.event import Event
from services.profile.domain.links import Cause, Edge, Link, Mark, edge
from shared.contracts.catalogue import ALIAS


def edges_of(event: Event) -> list[Edge]:
    """List an event's edges, from its owner to each other identity."""
    return [edge_of(event, other.id) for other in event.others]


def edge_of(event: Event, other: str) -> Edge:
    """Return the edge from an event's owner to another identity that it names."""
    return edge(event.owner.id, other, mark_of(event), cause_of(event))


def mark_of(event: Event) -> Mark:
    """Tell where an event stands among all."""
    said = event.interaction
    return Mark(event.occurred_at, said.message_id, said.source)


def cause_of(event: Event) -> Cause:
    """Tell what an event makes links by."""
    return Cause.ALIAS if event.interaction.name == ALIAS else Cause.EVENT


def is_news(before: Link | None, after: Link) -> bool:
    """Tell whether what is kept of a link became another."""
    return before is None or (before.first, before.cause) != (after.first, after.cause)
