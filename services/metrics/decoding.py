"""From a record to what it says, or to why it says nothing that we understand."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from services.metrics.domain.events import (
    ActivitySeen,
    CustomerSeen,
    Erased,
    Event,
    MessageReached,
    OrderTotal,
    SegmentChanged,
)
from services.metrics.domain.months import day_of
from shared.contracts.catalogue import ORDER_COMPLETED
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.customers import Lifecycle
from shared.contracts.envelope import header, sequence_of, version_of
from shared.contracts.interactions import Activity, OrderPayload
from shared.contracts.money import Money
from shared.contracts.outreach import OutreachEvent
from shared.contracts.segments import SegmentChange
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.records import Poison, Record

NO_CURRENCY = "XXX"
"""ISO 4217's own code for "no currency is involved": an order without a total counts, and costs nothing."""

FREE = OrderTotal(NO_CURRENCY, Decimal(0))
_ID_BYTES = 16
_MOST_DIGITS = 30
_CURRENCY = re.compile(r"[A-Z]{3}")
_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")


class CustomerHead(msgspec.Struct, frozen=True):
    """The part of a customer's record that is counted; the rest is not even read."""

    customer_id: str
    lifecycle: Lifecycle


class UnreadableError(Exception):
    """A message says something that no fact can be made of."""

    def __init__(self, reason: str, path: str, expected: str, found: str = "") -> None:
        super().__init__(reason)
        self.poison = Poison(reason, path, expected, found)


def read(record: Record) -> Event | Poison:
    """Read one record; never raises, and what cannot be read says why and where, never a value."""
    reader = _READERS.get(record.topic)
    if reader is None:
        return Poison("unknown_topic", expected=", ".join(_READERS), found=record.topic)
    try:
        _check_version(record)
        return reader(record)
    except UnreadableError as unreadable:
        return unreadable.poison
    except MalformedMessageError as malformed:
        return _malformed(str(malformed))


def _activity(record: Record) -> Event:
    if record.value is None:
        return Erased()
    activity = decode(Activity, record.value)
    order = None
    if activity.name == ORDER_COMPLETED:
        payload = decode(OrderPayload, activity.payload)
        order = FREE if payload.total is None else _total(payload.total)
    return ActivitySeen(_customer(activity.customer_id), day_of(activity.occurred_at), order)


def _customer_record(record: Record) -> Event:
    version = version_of(record.headers)
    if version is None:
        raise UnreadableError("no_version", "headers", "ce_incarnation and ce_version")
    order = (version.incarnation, version.number)
    if record.value is None:
        return CustomerSeen(_customer((record.key or b"").decode("utf-8", "replace")), order, None)
    head = decode(CustomerHead, record.value)
    return CustomerSeen(_customer(head.customer_id), order, head.lifecycle)


def _segment_change(record: Record) -> Event:
    if record.value is None:
        return Erased()
    change = decode(SegmentChange, record.value)
    return SegmentChanged(record.partition, change.segment, day_of(change.effective_at), change.change)


def _outreach(record: Record) -> Event:
    if record.value is None:
        return Erased()
    sequence = sequence_of(record.headers)
    if sequence is None:
        raise UnreadableError("no_sequence", "headers", "ce_incarnation and ce_sequence")
    event = decode(OutreachEvent, record.value)
    return MessageReached(
        event.message_key,
        (sequence.incarnation, sequence.number),
        event.campaign,
        event.channel,
        event.state,
        day_of(event.at),
        event.rule,
    )


_READERS: Mapping[str, Callable[[Record], Event]] = {
    ACTIVITIES.name: _activity,
    CUSTOMERS.name: _customer_record,
    SEGMENT_CHANGES.name: _segment_change,
    OUTREACH.name: _outreach,
}


def _check_version(record: Record) -> None:
    kind = header(record.headers, "ce_type")
    if kind is not None and not kind.endswith(".v1"):
        raise UnreadableError("unknown_event_type", "headers.ce_type", "a type that ends in .v1")


def _customer(text: str) -> bytes:
    try:
        customer = bytes.fromhex(text)
    except ValueError:
        customer = b""
    if len(customer) != _ID_BYTES:
        raise UnreadableError("bad_customer_id", "$.customer_id", "32 hexadecimal digits")
    return customer


def _total(total: Money) -> OrderTotal:
    if _CURRENCY.fullmatch(total.currency) is None:
        raise UnreadableError("bad_currency", "$.payload.total.currency", "an ISO 4217 code")
    try:
        amount = total.value
    except InvalidOperation:
        raise UnreadableError("not_a_number", "$.payload.total.amount", "a decimal number") from None
    if not amount.is_finite():
        raise UnreadableError("not_a_number", "$.payload.total.amount", "a decimal number")
    digits = amount.as_tuple()
    exponent = int(digits.exponent)
    if exponent < -_MOST_DIGITS or len(digits.digits) + exponent > _MOST_DIGITS:
        expected = f"at most {_MOST_DIGITS} digits before and after the point"
        raise UnreadableError("too_many_digits", "$.payload.total.amount", expected)
    return OrderTotal(total.currency, amount)


def _malformed(text: str) -> Poison:
    match = _AT.fullmatch(text)
    what, path = (match["what"], match["path"]) if match else (text, None)
    return Poison("malformed", path or "$", _QUOTED.sub("another value", what))
