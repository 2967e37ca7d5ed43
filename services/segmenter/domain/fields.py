"""The fields of a customer record that a rule may name, each with the kind of value that stands there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from services.segmenter.domain.record import RecordFacts
from shared.contracts.customers import ConsentStatus, Lifecycle

EXPECTED = (
    "traits.<name>, orders.count, orders.revenue.<currency>, orders.first_at, orders.last_at, "
    "consent.<purpose>/<channel>, lifecycle, first_at or last_at"
)


class Kind(StrEnum):
    """What a field holds; only a trait may hold whatever its source said."""

    TRAIT = "a text, a number, true or false"
    NUMBER = "a number"
    TIME = "a time such as 2026-01-31 or 2026-01-31T09:30:00Z"
    CHOICE = "a choice"


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it holds and how it is read; `choices` are all the texts that can stand there.

    `read` gives nothing where the record has no such value. A trait may be a list or an object: it exists, and equals
    nothing that a rule can write.
    """

    kind: Kind
    read: Callable[[RecordFacts], Any]
    choices: tuple[str, ...] = ()


_TRAIT = re.compile(r"traits\.([^\x00-\x1f]{1,200})")
_REVENUE = re.compile(r"orders\.revenue\.([A-Z]{3})")
_CONSENT = re.compile(r"consent\.([^\s/]{1,100}/[^\s/]{1,100})")

_FIXED = {
    "orders.count": Field(Kind.NUMBER, lambda record: record.orders),
    "orders.first_at": Field(Kind.TIME, lambda record: record.first_order_at),
    "orders.last_at": Field(Kind.TIME, lambda record: record.last_order_at),
    "first_at": Field(Kind.TIME, lambda record: record.first_at),
    "last_at": Field(Kind.TIME, lambda record: record.last_at),
    "lifecycle": Field(Kind.CHOICE, lambda record: record.lifecycle, tuple(Lifecycle)),
}


def field_at(path: str) -> Field | None:
    """Return the field at a path, or nothing if a record has no such field."""
    fixed = _FIXED.get(path)
    if fixed is not None:
        return fixed
    if found := _TRAIT.fullmatch(path):
        return Field(Kind.TRAIT, _trait(found[1]))
    if found := _REVENUE.fullmatch(path):
        return Field(Kind.NUMBER, _revenue(found[1]))
    if found := _CONSENT.fullmatch(path):
        return Field(Kind.CHOICE, _consent(found[1]), tuple(ConsentStatus))
    return None


def _trait(name: str) -> Callable[[RecordFacts], Any]:
    return lambda record: record.traits.get(name)


def _revenue(currency: str) -> Callable[[RecordFacts], Any]:
    def read(record: RecordFacts) -> Decimal | None:
        amount = record.revenue.get(currency)
        return None if amount is None else Decimal(amount)

    return read


def _consent(purpose: str) -> Callable[[RecordFacts], Any]:
    return lambda record: record.consent.get(purpose)
