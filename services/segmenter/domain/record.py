"""What is kept of a customer's record: the facts that rules may ask for, without the identities."""

from datetime import datetime
from decimal import InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from services.segmenter.domain.instants import instant
from shared.contracts.codec import MalformedMessageError, decode, encode
from shared.contracts.customers import ConsentStatus, Lifecycle
from shared.contracts.money import Money

Time = Annotated[datetime, msgspec.Meta(tz=True)]


Membership = Annotated[int, msgspec.Meta(ge=1, le=2_147_483_647)]


class _Trait(msgspec.Struct, frozen=True):
    value: Any


class _Orders(msgspec.Struct, frozen=True):
    count: int
    revenue: tuple[Money, ...]
    first_at: Time
    last_at: Time


class _Consent(msgspec.Struct, frozen=True):
    state: ConsentStatus


class _Identity(msgspec.Struct, frozen=True):
    id: str


class _Published(msgspec.Struct, frozen=True):
    """The part of the published record that is read here; the rest is passed over without being built."""

    customer_id: str
    traits: dict[str, _Trait]
    orders: _Orders | None
    consent: dict[str, _Consent]
    first_at: Time
    last_at: Time
    lifecycle: Lifecycle
    identities: tuple[_Identity, ...] = ()
    memberships: dict[str, Membership] = {}


class RecordFacts(msgspec.Struct, frozen=True, array_like=True):
    """A customer's record as rules see it: plain values, amounts as exact decimals by currency, times as instants."""

    traits: dict[str, Any]
    orders: int
    revenue: dict[str, str]
    first_order_at: int | None
    last_order_at: int | None
    consent: dict[str, str]
    first_at: int
    last_at: int
    lifecycle: str


class Condensed(NamedTuple):
    """A published record: whose it is, how many identities it names, memberships of those that moved, kept facts."""

    customer_id: str
    identities: int
    memberships: dict[str, int]
    facts: bytes


def condense(published: bytes) -> Condensed:
    """Read a published record.

    Raises:
        MalformedMessageError: it is no customer record.
    """
    record = decode(_Published, published)
    orders = record.orders
    for money in orders.revenue if orders else ():
        _check_amount(money)
    facts = encode(
        RecordFacts(
            {name: trait.value for name, trait in record.traits.items()},
            orders.count if orders else 0,
            {money.currency: money.amount for money in orders.revenue} if orders else {},
            instant(orders.first_at) if orders else None,
            instant(orders.last_at) if orders else None,
            {purpose: consent.state for purpose, consent in record.consent.items()},
            instant(record.first_at),
            instant(record.last_at),
            record.lifecycle,
        )
    )
    return Condensed(record.customer_id, len(record.identities), record.memberships, facts)


def _check_amount(money: Money) -> None:
    try:
        finite = money.value.is_finite()
    except InvalidOperation:
        finite = False
    if not finite:
        raise MalformedMessageError("expected a decimal as text - at `$.orders.revenue[...].amount`")


@lru_cache(maxsize=4096)
def facts_of(kept: bytes) -> RecordFacts:
    """Read the facts as they were kept; a pure function, so several rules on one customer pay once."""
    return decode(RecordFacts, kept)
