"""Records as the other services write them, with only what a test cares about left to say."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from shared.contracts import codec, topics
from shared.contracts.catalogue import ORDER_COMPLETED, family_of
from shared.contracts.customers import CustomerRecord, CustomerRedirect, Lifecycle
from shared.contracts.interactions import Activity, OrderPayload
from shared.contracts.money import Money
from shared.contracts.outreach import MessageState, OutreachEvent
from shared.contracts.segments import Cause, Change, ClockCause, SegmentChange
from shared.runtime.records import PlainRecord

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def customer_id(number: int) -> str:
    return f"{number:032x}"


def record(topic: topics.Topic, message: Any, *, lane: int = 0, **headers: object) -> PlainRecord:
    return PlainRecord(
        topic=topic.name,
        partition=lane,
        offset=0,
        value=None if message is None else codec.encode(message),
        headers=[(name, str(value).encode()) for name, value in headers.items()],
    )


def activity(
    customer: int = 1,
    at: datetime = NOON,
    *,
    name: str = "Product Viewed",
    payload: Any = None,
    lane: int = 0,
    identity: int | None = None,
    membership: int = 1,
) -> PlainRecord:
    message = Activity(
        message_id="m-1",
        source="web-shop",
        name=name,
        family=family_of(name),
        occurred_at=at,
        received_at=at + timedelta(seconds=1),
        customer_id=customer_id(customer),
        identity_id=customer_id(customer if identity is None else identity),
        membership_version=membership,
        customer_version=1,
        payload=codec.raw({} if payload is None else payload),
        context=codec.raw({}),
    )
    return record(topics.ACTIVITIES, message, lane=lane, ce_type="order.completed.v1")


def order(
    customer: int = 1,
    at: datetime = NOON,
    amount: str | None = "35.50",
    currency: str = "EUR",
    *,
    lane: int = 0,
    identity: int | None = None,
    membership: int = 1,
) -> PlainRecord:
    total = None if amount is None else Money(amount, currency)
    payload = codec.decode(dict[str, Any], codec.encode(OrderPayload(order_id="o-1", total=total)))
    return activity(
        customer, at, name=ORDER_COMPLETED, payload=payload, lane=lane, identity=identity, membership=membership
    )


def change(
    customer: int = 1,
    at: datetime = NOON,
    what: Change = Change.ENTERED,
    segment: str = "two-or-more",
    *,
    lane: int = 0,
    cause: Cause = ClockCause(),  # noqa: B008 - a value that nothing changes
) -> PlainRecord:
    message = SegmentChange(
        segment=segment,
        definition_version=1,
        change=what,
        effective_at=at,
        computed_at=at,
        cause=cause,
        reason=(),
        sequence=1,
        customer_id=customer_id(customer),
        customer_version=1,
    )
    return record(topics.SEGMENT_CHANGES, message, lane=lane)


def outreach(
    key: str = "k-1",
    state: MessageState = MessageState.ACCEPTED,
    sequence: int = 1,
    *,
    campaign: str = "welcome-back",
    rule: str | None = None,
    incarnation: int = 1,
) -> PlainRecord:
    message = OutreachEvent(
        message_key=key,
        campaign=campaign,
        step="mail",
        channel="email",
        customer_id=customer_id(1),
        state=state,
        at=NOON,
        occurrence="o-1",
        rule=rule,
    )
    return record(topics.OUTREACH, message, ce_incarnation=incarnation, ce_sequence=sequence)


def customer(
    number: int = 1,
    version: int = 1,
    lifecycle: Lifecycle | None = Lifecycle.LEAD,
    memberships: Mapping[int, int] = MappingProxyType({}),
) -> PlainRecord:
    message = (
        None
        if lifecycle is None
        else CustomerRecord(
            customer_id=customer_id(number),
            identities=(),
            traits={},
            orders=None,
            consent={},
            first_at=NOON,
            last_at=NOON,
            lifecycle=lifecycle,
            memberships={customer_id(each): count for each, count in memberships.items()},
        )
    )
    kind = "customer.removed.v1" if lifecycle is None else "customer.updated.v1"
    return under(number, record(topics.CUSTOMERS, message, ce_type=kind, ce_incarnation=1, ce_version=version))


def redirect(number: int, to: int, version: int, membership: int = 2) -> PlainRecord:
    message = CustomerRedirect(
        customer_id=customer_id(number), redirect_to=customer_id(to), memberships={customer_id(number): membership}
    )
    made = record(topics.CUSTOMERS, message, ce_type="customer.redirected.v1", ce_incarnation=1, ce_version=version)
    return under(number, made)


def under(number: int, made: PlainRecord) -> PlainRecord:
    return msgspec.structs.replace(made, key=customer_id(number).encode())
