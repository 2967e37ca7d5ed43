"""The two messages that the segmenter publishes: each entry and exit, and who is in now."""

from services.segmenter.domain.instants import moment
from services.segmenter.ports import Entry
from shared.contracts.codec import encode
from shared.contracts.envelope import Headers, headers
from shared.contracts.segments import SegmentChange, SegmentMembership
from shared.runtime.handler import Message
from shared.runtime.observe import ACCEPTED_AT

_SOURCE = "rapport/segmenter"


def change_key(customer_id: str, segment: str, sequence: int) -> bytes:
    """Name a change: the key of its line in the history, and the id it is published under."""
    return f"{customer_id}:{segment}:{sequence}".encode()


def membership_key(customer_id: str, segment: str) -> bytes:
    """Name a membership: the key of its row and of its message."""
    return f"{customer_id}:{segment}".encode()


def change_message(entry: Entry) -> Message:
    """Render an entry or exit."""
    transition, standing = entry.transition, entry.transition.standing
    effective_at = moment(standing.at)
    change = SegmentChange(
        segment=transition.segment,
        definition_version=standing.definition_version,
        change=transition.change,
        effective_at=effective_at,
        computed_at=moment(entry.computed_at),
        cause=transition.cause,
        reason=transition.reason,
        sequence=standing.sequence,
        customer_id=entry.customer_id,
        customer_version=transition.customer_version,
    )
    attributes = headers(
        id=change_key(entry.customer_id, transition.segment, standing.sequence).decode(),
        source=_SOURCE,
        type=f"segment.{transition.change}.v1",
        time=effective_at,
        subject=entry.customer_id,
    )
    if entry.accepted_at is not None:
        attributes.append((ACCEPTED_AT, entry.accepted_at.encode()))
    return Message(entry.customer_id.encode(), encode(change), attributes)


def membership_message(membership: SegmentMembership, *, inside: bool) -> Message:
    """Render where a customer stands in a segment: the membership while they are in, a tombstone once they left."""
    key = membership_key(membership.customer_id, membership.segment)
    attributes: Headers = headers(
        id=f"{key.decode()}:{membership.sequence}:state",
        source=_SOURCE,
        type="segment-membership.updated.v1" if inside else "segment-membership.removed.v1",
        time=membership.since,
        subject=membership.customer_id,
    )
    attributes.append(("ce_version", b"%d" % membership.sequence))
    return Message(key, encode(membership) if inside else None, attributes)
