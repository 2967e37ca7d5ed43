"""Records as the other services write them, with only what a test cares about left to say."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts import codec, topics
from shared.contracts.catalogue import ORDER_COMPLETED, family_of
from shared.contracts.customers import CustomerRecord, Lifecycle
from shared.contracts.interactions import Activity, OrderPayload
from shared.contracts.money import Money
from shared.contracts.outreach import MessageState, OutreachEvent
from shared.contracts.segments import Change, ClockCause, SegmentChange
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
    customer: int = 1, at: datetime = NOON, *, name: str = "Product Viewed", payload: Any = None, lane: int = 0
) -> PlainRecord:
    message = Activity(
        message_id="m-1",
        source="web-shop",
        name=name,
        family=family_of(name),
        occurred_at=at,
        received_at=at + timedelta(seconds=1),
        customer_id=customer_id(customer),
        identity_id=customer_id(customer),
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
) -> PlainRecord:
    total = None if amount is None else Money(amount, currency)
    payload = codec.decode(dict[str, Any], codec.encode(OrderPayload(order_id="o-1", total=total)))
    return activity(customer, at, name=ORDER_COMPLETED, payload=payload, lane=lane)


def change(
    customer: int = 1,
    at: datetime = NOON,
    what: Change = Change.ENTERED,
    segment: str = "two-or-more",
    *,
    lane: int = 0,
) -> PlainRecord:
    message = SegmentChange(
        segment=segment,
        definition_version=1,
        change=what,
        effective_at=at,
        computed_at=at,
        cause=ClockCause(),
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


def customer(number: int = 1, version: int = 1, lifecycle: Lifecycle | None = Lifecycle.LEAD) -> PlainRecord:
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
        )
    )
    made = record(topics.CUSTOMERS, message, ce_incarnation=1, ce_version=version)
    return PlainRecord(
        topic=made.topic,
        partition=0,
        offset=0,
        key=customer_id(number).encode(),
        value=made.value,
        headers=made.headers,
    )
