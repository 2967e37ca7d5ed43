"""From a record on one of our inputs to what it says: an event, a record, an erasure, or where a customer went."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Annotated

import msgspec

from services.segmenter.domain.instants import instant
from services.segmenter.domain.record import Membership, condense
from shared.contracts.codec import MalformedMessageError, canonical, decode
from shared.contracts.envelope import Order, version_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.observe import ACCEPTED_AT
from shared.runtime.records import Poison, Record

LONGEST_TIME = 40


_REDIRECTED = b"customer.redirected.v1"
_REMOVED = b"customer.removed.v1"
_NOBODY_ELSES: Mapping[str, int] = {}


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An activity: what counts happened at the instant `at`, by an identity that was the customer's then."""

    customer: str
    identity: str
    membership: int
    name: str
    at: int
    message_id: str
    customer_version: int
    accepted_at: str | None


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A customer's record as it stands from `order` on; no record is an erasure.

    It names `identities`, and has the memberships of those that had another customer before; `heard` tells these from
    others and is empty if there are none.
    """

    customer: str
    order: Order
    record: bytes | None
    accepted_at: str | None
    identities: int = 0
    memberships: Mapping[str, int] = _NOBODY_ELSES
    heard: bytes = b""


class Vacated(msgspec.Struct, frozen=True, gc=False):
    """From `order` on the id is no customer's: a redirect says whose these identities are, a removal that none is."""

    customer: str
    order: Order
    leads_to: str
    memberships: Mapping[str, int]


Said = Happened | Recorded | Vacated


class _Activity(msgspec.Struct, frozen=True, gc=False):
    """The part of an activity that is read here; its payload is passed over without being built."""

    message_id: str
    name: str
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)]
    customer_id: str
    identity_id: str
    customer_version: int
    membership_version: Membership = 1


class _Redirect(msgspec.Struct, frozen=True):
    customer_id: str
    redirect_to: str
    memberships: dict[str, Membership]


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
            return _recorded(record, accepted_at) if kind not in _VACATING else _vacated(record, kind)
    except MalformedMessageError as error:
        return Poison("malformed", "value", str(error), "another shape")
    return Poison("unknown_topic", "topic", f"{ACTIVITIES.name} or {CUSTOMERS.name}", record.topic)


def _happened(record: Record, accepted_at: str | None) -> Said | Poison:
    activity = decode(_Activity, record.value or b"")
    customer, identity = activity.customer_id, activity.identity_id
    if not is_customer_id(customer) or (identity != customer and not is_customer_id(identity)):
        return _NO_CUSTOMER
    return Happened(
        customer,
        identity,
        activity.membership_version,
        activity.name,
        instant(activity.occurred_at),
        activity.message_id,
        activity.customer_version,
        accepted_at,
    )


def _recorded(record: Record, accepted_at: str | None) -> Said | Poison:
    order = version_of(record.headers)
    if order is None:
        return _NO_VERSION
    if record.value is None:
        customer = _key(record)
        return Recorded(customer, order, None, accepted_at) if is_customer_id(customer) else _NO_CUSTOMER
    customer, identities, memberships, facts = condense(record.value)
    if not is_customer_id(customer) or not all(map(is_customer_id, memberships)):
        return _NO_CUSTOMER
    heard = blake2b(canonical(memberships), digest_size=8).digest() if memberships else b""
    return Recorded(customer, order, facts, accepted_at, identities, memberships, heard)


def _vacated(record: Record, kind: bytes) -> Said | Poison:
    order = version_of(record.headers)
    if order is None:
        return _NO_VERSION
    if kind == _REMOVED:
        customer = _key(record)
        return Vacated(customer, order, customer, {}) if is_customer_id(customer) else _NO_CUSTOMER
    redirect = decode(_Redirect, record.value or b"")
    customer, leads_to = redirect.customer_id, redirect.redirect_to
    if not all(map(is_customer_id, (customer, leads_to, *redirect.memberships))):
        return _NO_CUSTOMER
    return Vacated(customer, order, leads_to, redirect.memberships)


def _key(record: Record) -> str:
    return (record.key or b"").decode("utf-8", "replace")


_VACATING = frozenset({_REDIRECTED, _REMOVED})
_NO_VERSION = Poison("no_version", "headers.ce_version", "ce_version and ce_incarnation", "none")
_NO_CUSTOMER = Poison("no_customer_id", "customer_id", "32 hexadecimal digits", "something else")
_DIGITS = frozenset("0123456789abcdef")


def is_customer_id(text: str) -> bool:
    """Tell whether a text is a customer's id: 32 hexadecimal digits, in lower case."""
    return len(text) == 32 and _DIGITS.issuperset(text)  # noqa: PLR2004 - see the docstring
