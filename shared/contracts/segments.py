"""What the segmenter says: every entry and exit with its reason, and who is in now."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Change(StrEnum):
    """The two ways a membership can change."""

    ENTERED = "entered"
    EXITED = "exited"


class EventCause(msgspec.Struct, frozen=True, tag="event", tag_field="kind"):
    """An event made the rule's truth change."""

    message_id: str


class ClockCause(msgspec.Struct, frozen=True, tag="clock", tag_field="kind"):
    """Time alone made the rule's truth change."""


class RecordCause(msgspec.Struct, frozen=True, tag="record", tag_field="kind"):
    """A new version of the customer's record made the rule's truth change."""

    customer_version: int


class DefinitionCause(msgspec.Struct, frozen=True, tag="definition", tag_field="kind"):
    """A new version of the definition made the rule's truth change."""

    definition_version: int


class MergeCause(msgspec.Struct, frozen=True, tag="merge", tag_field="kind"):
    """Identities moved to or from the customer, by a merge or its undoing, and the rule's truth changed with them."""


Cause = EventCause | ClockCause | RecordCause | DefinitionCause | MergeCause


class Fact(msgspec.Struct, frozen=True):
    """One rule of the definition with the value found, for example `count(Order Completed, 30 days) >= 2` and 2."""

    rule: str
    value: Any


class SegmentChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is published to `crm.segment-changes.v1`; `sequence` counts from 1 per customer and segment."""

    segment: str
    definition_version: int
    change: Change
    effective_at: datetime
    computed_at: datetime
    cause: Cause
    reason: tuple[Fact, ...]
    sequence: int
    customer_id: str
    customer_version: int


class SegmentMembership(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on `crm.segment-memberships.v1` while somebody is in; an exit is a tombstone."""

    segment: str
    definition_version: int
    customer_id: str
    since: datetime
    sequence: int
