"""Records as profile publishes them."""

from datetime import datetime, timedelta
from typing import Any

from shared.contracts.codec import encode
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.records import PlainRecord

EVA = "5f" + "0" * 29 + "1"
ADA = "5f" + "0" * 29 + "2"


def activity(
    name: str,
    at: datetime,
    *,
    customer: str = EVA,
    message_id: str = "m-1",
    version: int = 1,
    offset: int = 0,
    lane: int = 0,
) -> PlainRecord:
    """Build an activity's record."""
    value = {
        "message_id": message_id,
        "source": "web-shop",
        "name": name,
        "family": "generic",
        "occurred_at": at,
        "received_at": at + timedelta(milliseconds=50),
        "customer_id": customer,
        "identity_id": customer,
        "customer_version": version,
        "payload": {},
        "context": {},
    }
    accepted = (at + timedelta(milliseconds=50)).isoformat().encode()
    headers = [("ce_type", b"activity.recorded.v1"), ("crm_accepted_at", accepted)]
    return PlainRecord(
        topic=ACTIVITIES.name,
        partition=lane,
        offset=offset,
        key=customer.encode(),
        value=encode(value),
        headers=headers,
    )


def customer_record(
    version: int,
    at: datetime,
    *,
    customer: str = EVA,
    traits: dict[str, Any] | None = None,
    orders: dict[str, Any] | None = None,
    consent: dict[str, Any] | None = None,
    lifecycle: str = "visitor",
    incarnation: int = 1,
    lane: int = 0,
) -> PlainRecord:
    """Build a customer's record as it stands at a version."""
    value = {
        "customer_id": customer,
        "identities": [{"id": customer, "kind": "user_id", "value": "u-17"}],
        "traits": {name: {"value": one, "source": "web-shop", "at": at} for name, one in (traits or {}).items()},
        "orders": orders,
        "consent": consent or {},
        "first_at": at,
        "last_at": at,
        "lifecycle": lifecycle,
    }
    return _state(version, incarnation, customer, encode(value), lane)


def erasure(version: int, *, customer: str = EVA, incarnation: int = 1, lane: int = 0) -> PlainRecord:
    """Build the tombstone of an erased customer."""
    return _state(version, incarnation, customer, None, lane)


def _state(version: int, incarnation: int, customer: str, value: bytes | None, lane: int) -> PlainRecord:
    headers = [
        ("ce_type", b"customer.updated.v1"),
        ("ce_version", str(version).encode()),
        ("ce_incarnation", str(incarnation).encode()),
    ]
    return PlainRecord(
        topic=CUSTOMERS.name, partition=lane, offset=version, key=customer.encode(), value=value, headers=headers
    )
