"""What comes in: Kafka records, the events decoded from them, and instants that fell due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from shared.contracts.records import Record

__all__ = ["DueInstant", "PlainRecord", "Poison", "Received", "Record"]

E = TypeVar("E")


class PlainRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record made by hand: for tests, and for a replay of stored bytes."""

    topic: str
    partition: int
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Received(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """One event with the record it stood in and its place there (a record may hold several events)."""

    record: Record
    index: int
    event: E

    @property
    def lane(self) -> int:
        """Return the lane that the event came in on."""
        return self.record.partition


class Poison(msgspec.Struct, frozen=True):
    """An event that cannot be read: why, where (a JSON path), what was expected and found. `found` is never a value."""

    reason: str
    path: str = ""
    expected: str = ""
    found: str = ""


class DueInstant(msgspec.Struct, frozen=True):
    """An instant that a handler asked to be woken at, under a key of its own."""

    lane: int
    key: str
    at: datetime
