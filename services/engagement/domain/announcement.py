"""What the world is told of a message's step: one event on `crm.outreach.v1`, never the message's text or address."""

from datetime import datetime

import msgspec

from services.engagement.domain.ledger import Entry
from shared.contracts import envelope
from shared.contracts.codec import encode
from shared.contracts.envelope import Headers
from shared.contracts.outreach import MessageState, OutreachEvent

SOURCE = "rapport/engagement"

_TYPES = {
    MessageState.PLANNED: "message.planned.v1",
    MessageState.ACCEPTED: "message.accepted.v1",
    MessageState.FAILED: "message.failed.v1",
    MessageState.RETRY_WAIT: "message.deferred.v1",
    MessageState.UNKNOWN: "message.unresolved.v1",
    MessageState.SKIPPED: "message.skipped.v1",
}


class Announcement(msgspec.Struct, frozen=True, gc=False):
    """One event as it was committed: what is kept of it renders the same message after a crash."""

    id: str
    lane: int
    customer_id: str
    type: str
    at: datetime
    caused_at: datetime | None
    value: bytes

    def headers(self) -> Headers:
        """Build the message's headers."""
        built = envelope.headers(id=self.id, source=SOURCE, type=self.type, time=self.at, subject=self.customer_id)
        if self.caused_at is not None:
            built.append(("crm_accepted_at", self.caused_at.isoformat().encode()))
        return built


def announce(entry: Entry) -> Announcement | None:
    """Tell of a message's newest step; that it is being sent right now is nobody's business but ours."""
    kind = _TYPES.get(entry.state)
    if kind is None:
        return None
    origin = entry.origin
    event = OutreachEvent(
        message_key=entry.key,
        campaign=origin.campaign,
        step=origin.step,
        channel=origin.channel,
        customer_id=origin.customer_id,
        state=entry.state,
        at=entry.changed_at,
        occurrence=origin.occurrence,
        provider_id=entry.provider_id,
        rule=entry.rule,
    )
    return Announcement(
        id=f"{entry.key}-{entry.revision}",
        lane=origin.lane,
        customer_id=origin.customer_id,
        type=kind,
        at=entry.changed_at,
        caused_at=origin.caused_at,
        value=encode(event),
    )
