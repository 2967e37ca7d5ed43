"""From a record to what engagement makes of it: a customer, where one went, or campaigns that a change sets off."""

from collections.abc import Mapping, Sequence

import msgspec

from services.engagement.domain.campaign import Campaign
from services.engagement.domain.following import Membership
from services.engagement.domain.planning import Firing, firings
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.customers import CustomerRecord, CustomerRedirect
from shared.contracts.envelope import Order, header, version_of
from shared.contracts.segments import SegmentChange
from shared.contracts.topics import CUSTOMERS, SEGMENT_CHANGES
from shared.runtime.moments import parse_time
from shared.runtime.records import Poison, Record

REDIRECTED = "customer.redirected.v1"
LARGEST_MEMBERSHIP = 2**31 - 1

_ANOTHER_MAJOR = Poison("unknown_type", "ce_type", "a type of major version 1", "another version")
_BAD_MEMBERSHIP = Poison("bad_membership", "$.memberships[...]", f"a number from 1 to {LARGEST_MEMBERSHIP}")


class CustomerSeen(msgspec.Struct, frozen=True, gc=False):
    """What stands under a customer's id: a record, where the customer went, or neither once they are gone.

    `told` is whose identities it says are.
    """

    customer_id: str
    order: Order
    record: CustomerRecord | None
    data: bytes | None
    redirect_to: str | None = None
    told: Sequence[tuple[str, Membership]] = ()


class Fired(msgspec.Struct, frozen=True, gc=False):
    """A segment change with the campaigns that it sets off."""

    firings: Sequence[Firing]


Event = CustomerSeen | Fired


def read(record: Record, campaigns: Mapping[str, Campaign]) -> Event | Poison:
    """Read one record; never raises, and what cannot be read says why, never a value."""
    try:
        if record.topic == CUSTOMERS.name:
            return _customer(record)
        if record.topic == SEGMENT_CHANGES.name:
            return _change(record, campaigns)
    except MalformedMessageError as error:
        return Poison("malformed", expected=record.topic, found=str(error))
    return Poison("unexpected_topic", expected=f"{CUSTOMERS.name} or {SEGMENT_CHANGES.name}", found=record.topic)


def _change(record: Record, campaigns: Mapping[str, Campaign]) -> Event | Poison:
    if _is_of_another_major(record):
        return _ANOTHER_MAJOR
    if record.value is None:
        return Poison("malformed", expected=SEGMENT_CHANGES.name, found="no value")
    change = decode(SegmentChange, record.value)
    caused_at = parse_time(header(record.headers, "crm_accepted_at"))
    return Fired(firings(campaigns, change, record.partition, caused_at))


def _customer(record: Record) -> Event | Poison:
    order = version_of(record.headers)
    if order is None:
        return Poison("no_version", "ce_version", "numbers in ce_version and ce_incarnation", "none")
    if not record.key:
        return Poison("no_key", expected="a customer id as the key", found="no key")
    try:
        customer_id = record.key.decode("ascii")
    except UnicodeDecodeError:
        return Poison("malformed", expected="a customer id as the key", found="bytes")
    if record.value is None:
        return CustomerSeen(customer_id, order, None, None)
    return _ANOTHER_MAJOR if _is_of_another_major(record) else _standing(customer_id, order, record, record.value)


def _standing(customer_id: str, order: Order, record: Record, data: bytes) -> Event | Poison:
    if header(record.headers, "ce_type") == REDIRECTED:
        redirect = decode(CustomerRedirect, data)
        told = _told(redirect.memberships, redirect.redirect_to)
        seen = CustomerSeen(customer_id, order, None, None, redirect.redirect_to)
    else:
        found = decode(CustomerRecord, data)
        told = _told(found.memberships, customer_id)
        seen = CustomerSeen(customer_id, order, found, data)
    if isinstance(told, Poison):
        return told
    return msgspec.structs.replace(seen, told=told) if told else seen


def _told(memberships: Mapping[str, int], customer_id: str) -> Sequence[tuple[str, Membership]] | Poison:
    if not memberships:
        return ()
    if any(not 0 < number <= LARGEST_MEMBERSHIP for number in memberships.values()):
        return _BAD_MEMBERSHIP
    return [(identity_id, Membership(customer_id, number)) for identity_id, number in memberships.items()]


def _is_of_another_major(record: Record) -> bool:
    kind = header(record.headers, "ce_type")
    return kind is not None and not kind.endswith(".v1")
