"""An interaction is an accepted event before its customer is known; an activity is the same event after."""

from datetime import datetime

import msgspec

from shared.contracts.identities import IdentityRef
from shared.contracts.money import Money
from shared.contracts.vocabulary import Amount, Id, Scope, Text


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest publishes to `crm.interactions.v1`.

    `identities` holds at least one, strongest first. `payload` and `context` are JSON objects kept as bytes, so that
    who only passes them on does not pay for decoding. `dedupe_key` (32 hexadecimal digits, rising with the event's own
    time) and `payload_hash` (32 hexadecimal digits) do not change when a sender retries: same key and hash is a
    duplicate, same key and other hash a conflict.
    """

    message_id: str
    source: str
    name: str
    family: str
    occurred_at: datetime
    received_at: datetime
    identities: tuple[IdentityRef, ...]
    payload: msgspec.Raw
    context: msgspec.Raw
    dedupe_key: str
    payload_hash: str


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What profile publishes to `crm.activities.v1`: each interaction once, with its customer.

    `customer_version` is the version of the customer's record that first contains this event. `membership_version`
    counts the customers that the identity had until then: who reads two about one identity believes the greater.
    """

    message_id: str
    source: str
    name: str
    family: str
    occurred_at: datetime
    received_at: datetime
    customer_id: str
    identity_id: str
    customer_version: int
    payload: msgspec.Raw
    context: msgspec.Raw
    membership_version: int = 1


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an order."""

    product_id: Id | None = None
    quantity: Amount | None = None
    price: Amount | None = None


class OrderPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `order`; `email`, `phone` and `crm_id` are the buyer's."""

    order_id: Id | None = None
    total: Money | None = None
    lines: tuple[OrderLine, ...] = ()
    email: Text | None = None
    phone: Text | None = None
    crm_id: Id | None = None


class IdentifyPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Family `identify`: trait values by name; null unsets a trait."""

    traits: dict[str, msgspec.Raw] = {}


class ConsentPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `consent`: what was agreed to (`purpose`), on which channel, and by whom if no id says so."""

    purpose: Scope
    channel: Scope
    basis: Text | None = None
    text_version: Text | None = None
    email: Text | None = None
    phone: Text | None = None
