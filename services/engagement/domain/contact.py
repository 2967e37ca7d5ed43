"""What engagement knows of a customer: where to write, what was agreed to, and what a template may say."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.contracts.codec import decode
from shared.contracts.customers import Consent, CustomerRecord
from shared.contracts.money import shown

ADDRESS_TRAIT = "email"

# What SMTP carries without extensions (RFC 5321, 4.1.2, quoted local parts left out); nothing here can end a header.
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
LONGEST_ADDRESS = 254


@dataclass(frozen=True)
class Contact:
    """What stands under a customer's id at one version: a record, where it went (`redirect_to`), or neither: gone."""

    customer_id: str
    version: int
    record: CustomerRecord | None
    redirect_to: str | None = None

    @cached_property
    def address(self) -> str | None:
        """Return the mail address as it was given, or nothing."""
        trait = None if self.record is None else self.record.traits.get(ADDRESS_TRAIT)
        return trait.value if trait is not None and isinstance(trait.value, str) and trait.value else None

    def consent(self, purpose: str, channel: str) -> Consent | None:
        """Return what the customer said last about a purpose on a channel."""
        return None if self.record is None else self.record.consent.get(f"{purpose}/{channel}")

    def values(self) -> Mapping[str, Any]:
        """Return what templates see as `customer`."""
        if self.record is None:
            return {"id": self.customer_id}
        orders = self.record.orders
        return {
            "id": self.customer_id,
            "lifecycle": self.record.lifecycle.value,
            "traits": {name: trait.value for name, trait in self.record.traits.items()},
            "orders": {
                "count": 0 if orders is None else orders.count,
                "revenue": [
                    {"amount": shown(money.value), "currency": money.currency}
                    for money in (() if orders is None else orders.revenue)
                ],
                "first_at": None if orders is None else orders.first_at,
                "last_at": None if orders is None else orders.last_at,
            },
        }


def contact_of(customer_id: str, version: int, document: bytes | None, redirect_to: str | None) -> Contact:
    """Read what is stored of a customer; `document` is the record's JSON, nothing if it went elsewhere or is gone."""
    return Contact(customer_id, version, None if document is None else decode(CustomerRecord, document), redirect_to)


def is_deliverable(address: str) -> bool:
    """Tell whether plain SMTP can carry this address."""
    return len(address) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(address) is not None


def address_hash(secret: bytes, address: str) -> str:
    """Name an address without revealing it: HMAC-SHA256 of its lower-case form, 32 hexadecimal digits."""
    return hmac.digest(secret, f"address\0{address.strip().lower()}".encode(), "sha256")[:16].hex()
