"""The customer record: everything known about one customer, as published to `crm.customers.v1`."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from shared.contracts.identities import IdentityRef
from shared.contracts.money import Money

MOST_TRAITS = 200
LARGEST_TRAIT = 2_048
"""Bytes of a trait's value as JSON."""
LONGEST_TRAIT_NAME = 100
MOST_IDENTITIES = 100
MOST_CONSENTS = 50
"""Bounds that keep a record, whatever its sources say, within the 1 MiB that a Kafka message may have: a broker refuses
a larger one for ever, and with it all that its lane has to publish."""


class Trait(msgspec.Struct, frozen=True):
    """A trait's value with the source that said so and the event time it was said at."""

    value: Any
    source: str
    at: datetime


class Orders(msgspec.Struct, frozen=True):
    """Totals of completed orders: revenue by currency, first and last by event time."""

    count: int
    revenue: tuple[Money, ...]
    first_at: datetime
    last_at: datetime


class ConsentStatus(StrEnum):
    """What a customer said last about one purpose on one channel."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Consent(msgspec.Struct, frozen=True):
    """The state of one purpose on one channel, and since when."""

    state: ConsentStatus
    at: datetime


class Lifecycle(StrEnum):
    """How far the relationship has come."""

    VISITOR = "visitor"
    LEAD = "lead"
    CUSTOMER = "customer"


class CustomerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One customer. `consent` is keyed `purpose/channel`; `orders` is null before the first order.

    The version is not part of the record: it travels in the header `ce_version`, and records are equal when their
    canonical JSON is.
    """

    customer_id: str
    identities: tuple[IdentityRef, ...]
    traits: dict[str, Trait]
    orders: Orders | None
    consent: dict[str, Consent]
    first_at: datetime
    last_at: datetime
    lifecycle: Lifecycle
