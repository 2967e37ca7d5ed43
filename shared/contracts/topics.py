"""The topic registry: every topic, what is on it, who writes it and who reads it; topics are created from it."""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from shared.contracts.customers import CustomerRecord, CustomerRedirect
from shared.contracts.interactions import Activity, Interaction
from shared.contracts.outreach import OutreachEvent
from shared.contracts.segments import SegmentChange, SegmentMembership

DAY_MS = 86_400_000

LARGEST_MESSAGE_BYTES = 4 * 1024 * 1024
"""What a topic of ours takes at most in one batch; a customer's record is bounded well below it."""


class Kind(StrEnum):
    """What a consumer may rely on."""

    RAW = "raw"
    """Written by others: anything, repeated or missing offsets included."""
    LOG = "log"
    """Ours, unsequenced: repeats possible, told apart by message id."""
    SEQUENCED_LOG = "sequenced_log"
    """Ours, with `ce_sequence` gap-free per partition: a repeat is an older sequence, a gap is an alarm."""
    STATE = "state"
    """Ours, compacted: apply only what is greater in (incarnation, version); a null value is a tombstone."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Retention is in days; a state topic keeps the last record of each key instead.

    `types` are the values of `ce_type` of messages with its `payload`; `others` are types with a payload of their own,
    `tombstones` those of messages without a value.
    """

    name: str
    kind: Kind
    key: str
    payload: type[msgspec.Struct] | None
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    retention_days: int = 30
    extra: tuple[tuple[str, str], ...] = field(default=())
    types: tuple[str, ...] = ()
    tombstones: tuple[str, ...] = ()
    others: tuple[tuple[str, type[msgspec.Struct]], ...] = ()

    @property
    def every_type(self) -> tuple[str, ...]:
        """List every value that `ce_type` has on it."""
        return (*self.types, *(kind for kind, _ in self.others), *self.tombstones)

    def payload_of(self, kind: str) -> type[msgspec.Struct] | None:
        """Return what a message of a type holds; nothing for a tombstone.

        Raises:
            KeyError: no such type on it.
        """
        if kind in self.types:
            return self.payload
        return {**dict(self.others), **dict.fromkeys(self.tombstones)}[kind]

    @property
    def dead_letter(self) -> str:
        """Name the topic that takes what could not be read from this one."""
        return f"{self.name}.dlq"

    def config(self) -> dict[str, str]:
        """Render Kafka's topic settings."""
        if self.kind is Kind.STATE:
            # Compaction never touches the active segment, so it must roll also when little is written.
            settings = {
                "cleanup.policy": "compact",
                "segment.ms": str(DAY_MS),
                "max.compaction.lag.ms": str(7 * DAY_MS),
            }
        else:
            settings = {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * DAY_MS)}
        settings["max.message.bytes"] = str(LARGEST_MESSAGE_BYTES)
        if self.kind is Kind.RAW:
            settings["message.timestamp.type"] = "LogAppendTime"
        return settings | dict(self.extra)


RAW_EVENTS = Topic("crm.raw-events.v1", Kind.RAW, "any", None, ("anybody", "ingest"), ("ingest",), retention_days=7)
RAW_EVENTS_DLQ = Topic(RAW_EVENTS.dead_letter, Kind.LOG, "as the source", None, ("ingest",), (), retention_days=14)
INTERACTIONS = Topic(
    "crm.interactions.v1",
    Kind.LOG,
    "identity_id of the strongest identity",
    Interaction,
    ("ingest",),
    ("profile",),
    7,
    types=("interaction.accepted.v1",),
)
CUSTOMERS = Topic(
    "crm.customers.v1",
    Kind.STATE,
    "customer_id",
    CustomerRecord,
    ("profile",),
    ("segmenter", "engagement", "metrics"),
    types=("customer.updated.v1",),
    tombstones=("customer.removed.v1",),
    others=(("customer.redirected.v1", CustomerRedirect),),
)
ACTIVITIES = Topic(
    "crm.activities.v1",
    Kind.SEQUENCED_LOG,
    "customer_id",
    Activity,
    ("profile",),
    ("segmenter", "metrics"),
    types=("activity.recorded.v1",),
)
SEGMENT_CHANGES = Topic(
    "crm.segment-changes.v1",
    Kind.SEQUENCED_LOG,
    "customer_id",
    SegmentChange,
    ("segmenter",),
    ("engagement", "metrics"),
    types=("segment.entered.v1", "segment.exited.v1"),
)
SEGMENT_MEMBERSHIPS = Topic(
    "crm.segment-memberships.v1",
    Kind.STATE,
    "customer_id:segment, partitioned by customer_id",
    SegmentMembership,
    ("segmenter",),
    (),
    types=("segment-membership.updated.v1",),
    tombstones=("segment-membership.removed.v1",),
)
OUTREACH = Topic(
    "crm.outreach.v1",
    Kind.SEQUENCED_LOG,
    "customer_id",
    OutreachEvent,
    ("engagement",),
    ("metrics",),
    types=(
        "message.planned.v1",
        "message.accepted.v1",
        "message.failed.v1",
        "message.deferred.v1",
        "message.unresolved.v1",
        "message.skipped.v1",
    ),
)

REGISTRY: tuple[Topic, ...] = (
    RAW_EVENTS,
    RAW_EVENTS_DLQ,
    INTERACTIONS,
    CUSTOMERS,
    ACTIVITIES,
    SEGMENT_CHANGES,
    SEGMENT_MEMBERSHIPS,
    OUTREACH,
)
"""Every topic of ours, in the order of the flow."""


def topic(name: str) -> Topic:
    """Return the topic of that name.

    Raises:
        KeyError: no such topic in the registry.
    """
    for candidate in REGISTRY:
        if candidate.name == name:
            return candidate
    raise KeyError(name)
