"""What engagement says about each message: decided, sent, failed or left out, never its text."""

from datetime import datetime
from enum import StrEnum

import msgspec


class MessageState(StrEnum):
    """Where a message stands. `unknown` is shown to people and never sent again blindly."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    RETRY_WAIT = "retry_wait"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class OutreachEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What is published to `crm.outreach.v1` when a message reaches `state`.

    `occurrence` names the firing of the trigger (hash of segment, customer and sequence), `rule` the reason of a skip.
    """

    message_key: str
    campaign: str
    step: str
    channel: str
    customer_id: str
    state: MessageState
    at: datetime
    occurrence: str
    provider_id: str | None = None
    rule: str | None = None
