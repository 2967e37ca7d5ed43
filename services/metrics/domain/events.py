"""What metrics takes in: the few fields of each message that a KPI stands on."""

from decimal import Decimal

import msgspec

Order = tuple[int, int]
"""(incarnation, sequence or version): greater is later."""


class OrderTotal(msgspec.Struct, frozen=True):
    """What an order cost, in one currency."""

    currency: str
    amount: Decimal


class ActivitySeen(msgspec.Struct, frozen=True):
    """Somebody did something. `customer` is 16 bytes, `day` counts from 1970-01-01 in UTC, `order` if it was one."""

    customer: bytes
    day: int
    order: OrderTotal | None


class CustomerSeen(msgspec.Struct, frozen=True):
    """A customer's record at one version; no lifecycle means that the record is gone."""

    customer: bytes
    order: Order
    lifecycle: str | None


class SegmentChanged(msgspec.Struct, frozen=True):
    """Somebody entered or left a segment on a day; `lane` is where it was read."""

    lane: int
    segment: str
    day: int
    change: str


class MessageReached(msgspec.Struct, frozen=True):
    """A message of engagement's reached a state; `order` is its place in the log, `rule` why it was left out."""

    message_key: str
    order: Order
    campaign: str
    channel: str
    state: str
    day: int
    rule: str | None


class Erased(msgspec.Struct, frozen=True):
    """Somebody was erased: the message keeps its place in the log and says nothing."""


Event = ActivitySeen | CustomerSeen | SegmentChanged | MessageReached | Erased
