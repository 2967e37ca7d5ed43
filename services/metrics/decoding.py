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
    Membership,
    MessageReached,
    Order,
    OrderTotal,
    Rearranged,
    SegmentChanged,
)
from services.metrics.domain.months import day_of
from shared.contracts.catalogue import ORDER_COMPLETED
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.customers import CustomerRedirect, Lifecycle
from shared.contracts.envelope import header, sequence_of, version_of
from shared.contracts.interactions import Activity, OrderPayload
from shared.contracts.money import Money
from shared.contracts.outreach import OutreachEvent
from shared.contracts.segments import MergeCause, SegmentChange
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.records import Poison, Record

NO_CURRENCY = "XXX"
"""ISO 4217's own code for "no currency is involved": an order without a total counts, and costs nothing."""

FREE = OrderTotal(NO_CURRENCY, Decimal(0))
REDIRECTED = "customer.redirected.v1"
_ID_BYTES = 16
_LARGEST_MEMBERSHIP = 2**31 - 1
_MOST_DIGITS = 30
_CURRENCY = re.compile(r"[A-Z]{3}")
_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")


class CustomerHead(msgspec.Struct, frozen=True):
    """The part of a customer's record that is counted; the rest is not even read."""

    customer_id: str
    lifecycle: Lifecycle
    memberships: dict[str, int] = {}


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
        kind = header(record.headers, "ce_type")
        _check_version(kind)
        return reader(record, kind)
    except UnreadableError as unreadable:
        return unreadable.poison
    except MalformedMessageError as malformed:
        return _malformed(str(malformed))


def _activity(record: Record, _kind: str | None) -> Event:
    if record.value is None:
        return Erased()
    activity = decode(Activity, record.value)
    order = None
    if activity.name == ORDER_COMPLETED:
        payload = decode(OrderPayload, activity.payload)
        order = FREE if payload.total is None else _total(payload.total)
    identity, day = _id(activity.identity_id, "$.identity_id"), day_of(activity.occurred_at)
    if activity.identity_id == activity.customer_id and activity.membership_version == 1:
        return ActivitySeen(identity, day, order)
    whose = _id(activity.customer_id)
    number = _number(activity.membership_version, "$.membership_version")
    return ActivitySeen(identity, day, order, Membership(identity, whose, number))


def _customer_record(record: Record, kind: str | None) -> Event:
    version = version_of(record.headers)
    if version is None:
        raise UnreadableError("no_version", "headers", "ce_incarnation and ce_version")
    order = (version.incarnation, version.number)
    if record.value is None:
        return CustomerSeen(_id((record.key or b"").decode("utf-8", "replace")), order, None)
    if kind == REDIRECTED:
        return _redirect(decode(CustomerRedirect, record.value), order)
    head = decode(CustomerHead, record.value)
    customer = _id(head.customer_id)
    return CustomerSeen(customer, order, head.lifecycle, _memberships(head.memberships, customer))


def _redirect(redirect: CustomerRedirect, order: Order) -> Event:
    whose = _id(redirect.redirect_to, "$.redirect_to")
    return CustomerSeen(_id(redirect.customer_id), order, None, _memberships(redirect.memberships, whose))


def _memberships(told: Mapping[str, int], customer: bytes) -> tuple[Membership, ...]:
    if not told:
        return ()
    path = "$.memberships[...]"
    return tuple(Membership(_id(each, path), customer, _number(number, path)) for each, number in told.items())


def _segment_change(record: Record, _kind: str | None) -> Event:
    if record.value is None:
        return Erased()
    change = decode(SegmentChange, record.value)
    if isinstance(change.cause, MergeCause):
        return Rearranged()
    return SegmentChanged(record.partition, change.segment, day_of(change.effective_at), change.change)


def _outreach(record: Record, _kind: str | None) -> Event:
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


_READERS: Mapping[str, Callable[[Record, str | None], Event]] = {
    ACTIVITIES.name: _activity,
    CUSTOMERS.name: _customer_record,
    SEGMENT_CHANGES.name: _segment_change,
    OUTREACH.name: _outreach,
}


def _check_version(kind: str | None) -> None:
    if kind is not None and not kind.endswith(".v1"):
        raise UnreadableError("unknown_event_type", "headers.ce_type", "a type that ends in .v1")


def _id(text: str, path: str = "$.customer_id") -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != _ID_BYTES:
        raise UnreadableError("bad_customer_id" if path == "$.customer_id" else "bad_id", path, "32 hexadecimal digits")
    return found


def _number(number: int, path: str) -> int:
    if not 0 < number <= _LARGEST_MEMBERSHIP:
        raise UnreadableError("bad_membership", path, f"a number from 1 to {_LARGEST_MEMBERSHIP}")
    return number


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
