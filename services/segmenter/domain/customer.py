"""What the segmenter knows of one customer, and how events and records change it."""

import struct
from bisect import bisect_right
from typing import Any

import msgspec

from services.segmenter.domain.rules import MOST_IN_A_WINDOW
from services.segmenter.domain.windows import DAY, LONGEST_DAYS
from shared.contracts.envelope import Order

KEPT_TIMES = MOST_IN_A_WINDOW + 1
"""Times kept of one event of one customer: one more than a rule can ask for, so that `== n` still tells n from more."""

_PACKED = struct.Struct("=q")
_LENGTH = LONGEST_DAYS * DAY


class Tally(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often and when one event happened: `times` are sorted instants, 8 bytes each; `pruned` counts older ones."""

    pruned: int
    times: bytes

    def instants(self) -> "memoryview[int]":
        """Look at the kept times as a sorted sequence of instants."""
        return memoryview(self.times).cast("q")


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a customer stands in one segment: in or out since `at`, after `sequence` changes, by which definition."""

    inside: bool
    sequence: int
    at: int
    definition_version: int


class Customer(msgspec.Struct, frozen=True, array_like=True):
    """All that rules can ask about one customer.

    `record` are the facts of the published record (see `record.condense`) as of (`incarnation`, `version`);
    `customer_version` is the greatest version that was heard of; `due` is the instant we asked to be woken at.
    """

    incarnation: int = 0
    version: int = 0
    customer_version: int = 0
    record: bytes | None = None
    tallies: dict[str, Tally] = {}
    standings: dict[str, Standing] = {}
    due: int | None = None

    @property
    def known(self) -> bool:
        """Tell whether there is anything to judge: not before the first message, nor after an erasure."""
        return self.record is not None or bool(self.tallies)


UNKNOWN = Customer()

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Customer)


def pack(customer: Customer) -> bytes:
    """Write a customer as it is stored."""
    return _encoder.encode(customer)


def unpack(stored: bytes) -> Customer:
    """Read a stored customer."""
    return _decoder.decode(stored)


def changed(customer: Customer, **fields: Any) -> Customer:
    """Return the customer with some fields replaced."""
    return msgspec.structs.replace(customer, **fields)


def with_event(customer: Customer, name: str, at: int, customer_version: int, now: int) -> Customer:
    """Count an event that happened at `at`; it may be late, early, or at the same time as others."""
    tally = customer.tallies.get(name)
    tally = Tally(0, _PACKED.pack(at)) if tally is None else _inserted(tally, at)
    return Customer(
        customer.incarnation,
        customer.version,
        max(customer.customer_version, customer_version),
        customer.record,
        customer.tallies | {name: _bounded(tally, now)},
        customer.standings,
        customer.due,
    )


def with_record(customer: Customer, order: Order, record: bytes | None) -> Customer | None:
    """Take a later record over, or nothing if this one is not later than what is known; no record is an erasure."""
    if (order.incarnation, order.number) <= (customer.incarnation, customer.version):
        return None
    return Customer(
        order.incarnation,
        order.number,
        max(customer.customer_version, order.number),
        record,
        # An erased customer leaves nothing behind but the version, against stale records, and where they stood.
        {} if record is None else customer.tallies,
        customer.standings,
        customer.due,
    )


def _inserted(tally: Tally, at: int) -> Tally:
    times = tally.instants()
    if times and at < times[-1]:
        place = 8 * bisect_right(times, at)
        return Tally(tally.pruned, tally.times[:place] + _PACKED.pack(at) + tally.times[place:])
    return Tally(tally.pruned, tally.times + _PACKED.pack(at))


def _bounded(tally: Tally, now: int) -> Tally:
    """Forget times that no rule can ask for: past the longest window, or behind the 10,000 latest before now."""
    times = tally.instants()
    if times[0] > now - _LENGTH and len(times) <= KEPT_TIMES:
        return tally
    cut = max(bisect_right(times, now - _LENGTH), bisect_right(times, now) - KEPT_TIMES)
    return Tally(tally.pruned + cut, tally.times[8 * cut :]) if cut > 0 else tally
