"""What metrics takes in: the few fields of each message that a KPI stands on."""

from decimal import Decimal

import msgspec

Order = tuple[int, int]
"""(incarnation, sequence or version): greater is later."""


class OrderTotal(msgspec.Struct, frozen=True):
    """What an order cost, in one currency."""

    currency: str
    amount: Decimal


class Membership(msgspec.Struct, frozen=True):
    """Whose an identity is (16 bytes each); of two about one identity the greater `number` is believed.

    An identity of which nothing was told is a customer of its own, which is number 0.
    """

    identity: bytes
    customer: bytes
    number: int


class ActivitySeen(msgspec.Struct, frozen=True):
    """An identity did something. `identity` is 16 bytes, `day` counts from 1970-01-01 in UTC, `order` if it was one.

    `membership` is nothing for an identity that is its own and only customer.
    """

    identity: bytes
    day: int
    order: OrderTotal | None
    membership: Membership | None = None


class CustomerSeen(msgspec.Struct, frozen=True):
    """What stands under a customer's id at one version; no lifecycle: gone, or somebody else's now."""

    customer: bytes
    order: Order
    lifecycle: str | None
    memberships: tuple[Membership, ...] = ()


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


class Rearranged(msgspec.Struct, frozen=True):
    """Somebody is in a segment, or no longer, because who is who changed: nobody came and nobody went."""


class Erased(msgspec.Struct, frozen=True):
    """Somebody was erased: the message keeps its place in the log and says nothing."""


Event = ActivitySeen | CustomerSeen | SegmentChanged | Rearranged | MessageReached | Erased
