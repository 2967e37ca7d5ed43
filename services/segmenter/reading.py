"""From a record on one of our inputs to what it says: an event that happened, a record that changed, an erasure."""

from datetime import datetime
from typing import Annotated

import msgspec

from services.segmenter.domain.instants import instant
from services.segmenter.domain.record import condense
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.envelope import Order, version_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.observe import ACCEPTED_AT
from shared.runtime.records import Poison, Record

LONGEST_TIME = 40


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An activity: what counts happened at the instant `at`."""

    customer: str
    name: str
    at: int
    message_id: str
    customer_version: int
    accepted_at: str | None


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A customer's record as it stands from `order` on; no record is an erasure."""

    customer: str
    order: Order
    record: bytes | None
    accepted_at: str | None


Said = Happened | Recorded


class _Activity(msgspec.Struct, frozen=True, gc=False):
    """The part of an activity that is read here; its payload is passed over without being built."""

    message_id: str
    name: str
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)]
    customer_id: str
    customer_version: int


def read(record: Record) -> Said | Poison:
    """Read a record of either input; what can't be read comes back as its reason."""
    accepted_at = kind = None
    for name, value in record.headers:
        if name == "ce_type":
            kind = value
        elif name == ACCEPTED_AT:
            accepted_at = value.decode() if len(value) <= LONGEST_TIME and value.isascii() else None
    if kind is not None and not kind.endswith(b".v1"):
        return Poison("unknown_event_type", "headers.ce_type", "a type that ends in .v1", "another version")
    try:
        if record.topic == ACTIVITIES.name:
            return _happened(record, accepted_at)
        if record.topic == CUSTOMERS.name:
            return _recorded(record, accepted_at)
    except MalformedMessageError as error:
        return Poison("malformed", "value", str(error), "another shape")
    return Poison("unknown_topic", "topic", f"{ACTIVITIES.name} or {CUSTOMERS.name}", record.topic)


def _happened(record: Record, accepted_at: str | None) -> Said | Poison:
    activity = decode(_Activity, record.value or b"")
    if not is_customer_id(activity.customer_id):
        return _NO_CUSTOMER
    return Happened(
        activity.customer_id,
        activity.name,
        instant(activity.occurred_at),
        activity.message_id,
        activity.customer_version,
        accepted_at,
    )


def _recorded(record: Record, accepted_at: str | None) -> Said | Poison:
    order = version_of(record.headers)
    if order is None:
        return Poison("no_version", "headers.ce_version", "ce_version and ce_incarnation", "none")
    if record.value is None:
        customer, facts = (record.key or b"").decode("utf-8", "replace"), None
    else:
        customer, facts = condense(record.value)
    return Recorded(customer, order, facts, accepted_at) if is_customer_id(customer) else _NO_CUSTOMER


_NO_CUSTOMER = Poison("no_customer_id", "customer_id", "32 hexadecimal digits", "something else")
_DIGITS = frozenset("0123456789abcdef")


def is_customer_id(text: str) -> bool:
    """Tell whether a text is a customer's id: 32 hexadecimal digits, in lower case."""
    return len(text) == 32 and _DIGITS.issuperset(text)  # noqa: PLR2004 - see the docstring
