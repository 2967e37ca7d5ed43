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
MOST_CASES = 20
"""Tickets, complaints and deals kept, of each the ones that moved last."""
MOST_ADDRESSES = 20
LONGEST_SUBJECT = 50
"""Characters. All these bounds keep a record, whatever its sources say, within the 1 MiB that a Kafka message may have:
a broker refuses a larger one for ever, and with it all that its lane has to publish."""


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
    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"


class AddressState(StrEnum):
    """What is known about mail to an address: complaint and suppression stay, a later delivery ends a bounce."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a customer can be reached; `at` is since when it is known to be in its state."""

    channel: str
    value: str
    state: AddressState
    at: datetime | None = None


class Total(msgspec.Struct, frozen=True, omit_defaults=True):
    """How often something happened, first and last by event time, and for refunds the sums by currency."""

    count: int
    first_at: datetime
    last_at: datetime
    amount: tuple[Money, ...] = ()


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """A ticket, a complaint or a deal that is open: its last status, or stage, and since when."""

    id: str
    status: str
    at: datetime
    subject: str | None = None
    amount: Money | None = None


class Answer(msgspec.Struct, frozen=True):
    """How often a survey was answered, and the last answer."""

    count: int
    score: int
    scale: int
    at: datetime


class Assigned(msgspec.Struct, frozen=True):
    """The owner or the account of a customer, by its id, with the source that said so and the event time."""

    id: str
    source: str
    at: datetime


class CustomerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One customer. `consent` is keyed `purpose/channel`; `orders` is null before the first order.

    `totals` is keyed by what happened, such as `visits`, `tickets`, `refunds`; `answers` by `nps`, `csat` or `ces`. A
    part about which nothing is known is absent. `memberships` gives, for identities that had another customer before,
    how many: who reads two about one identity believes the greater, and an absent one is 1.

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
    addresses: tuple[Address, ...] = ()
    totals: dict[str, Total] = {}
    answers: dict[str, Answer] = {}
    open_tickets: tuple[Case, ...] = ()
    open_complaints: tuple[Case, ...] = ()
    open_deals: tuple[Case, ...] = ()
    owner: Assigned | None = None
    account: Assigned | None = None
    memberships: dict[str, int] = {}


class CustomerRedirect(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on `crm.customers.v1` under an id that is no customer's own any more: who that customer is now.

    `memberships` is by identity id; who reads two about one identity believes the greater.
    """

    customer_id: str
    redirect_to: str
    memberships: dict[str, int]
