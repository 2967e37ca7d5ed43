"""What the segmenter knows of one id: as an identity what was done by it, as a customer all that rules can ask."""

from typing import Any

import msgspec

from services.segmenter.domain.tallies import Tally, noted
from shared.contracts.envelope import Order


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a customer stands in one segment: in or out since `at`, after `sequence` changes, by which definition.

    `kept` is, of somebody out, since when they had been in, for a merge or its undoing to restore; of somebody in, when
    a merge let them in.
    """

    inside: bool
    sequence: int
    at: int
    definition_version: int
    kept: int | None = None


class Ties(msgspec.Struct, frozen=True, array_like=True):
    """How an id hangs together with others; most never do and have none.

    As an identity it is `customer`'s (nobody else's if there is none) by its membership number `membership`, 0 as long
    as only others named it; `own` is what was done by it alone, absent if that is all there is. As a customer it is
    `gone` while a redirect or a removal stands under its id; its last record named `identities` and, of those that had
    another customer before, what `heard` is a digest of. `carried` is since when those who became part of it had been
    in each segment, `together` since when it has not been alone, or was not.
    """

    membership: int = 0
    customer: str | None = None
    own: dict[str, Tally] | None = None
    gone: bool = False
    heard: bytes = b""
    identities: int = 0
    carried: dict[str, int] | None = None
    together: int = 0


class Customer(msgspec.Struct, frozen=True, array_like=True):
    """All that rules can ask about one customer.

    `record` are the facts of the published record (see `record.condense`) as of (`incarnation`, `version`);
    `customer_version` is the greatest version that was heard of; `tallies` are those of all identities together; `due`
    is the instant we asked to be woken at.
    """

    incarnation: int = 0
    version: int = 0
    customer_version: int = 0
    record: bytes | None = None
    tallies: dict[str, Tally] = {}
    standings: dict[str, Standing] = {}
    due: int | None = None
    ties: Ties | None = None

    @property
    def known(self) -> bool:
        """Tell whether there is anybody to judge.

        Not before the first message under the id itself, nor after an erasure, nor while the id is another customer's.
        """
        if self.record is None and not self.tallies:
            return False
        ties = self.ties
        return ties is None or (ties.customer is None and not ties.gone and self.customer_version > 0)


UNKNOWN = Customer()
UNTIED = Ties()

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


def tied(customer: Customer, /, **fields: Any) -> Customer:
    """Return the customer with some of its ties replaced."""
    return changed(customer, ties=msgspec.structs.replace(customer.ties or UNTIED, **fields))


def accompanied(customer: Customer, now: int) -> Customer:
    """Return the customer with its own identity's tallies apart, as whoever is not alone has them."""
    ties = customer.ties
    if ties is not None and ties.own is not None:
        return customer
    return tied(customer, own=customer.tallies, together=now)


def own_tallies(customer: Customer) -> dict[str, Tally]:
    """Return what was done by the identity of this id alone."""
    ties = customer.ties
    return customer.tallies if ties is None or ties.own is None else ties.own


def with_event(customer: Customer, name: str, at: int, customer_version: int, now: int) -> Customer:
    """Count an event of whoever it is by; for what a customer did by its own identity see `with_own_event`."""
    return Customer(
        customer.incarnation,
        customer.version,
        max(customer.customer_version, customer_version),
        customer.record,
        noted(customer.tallies, name, at, now),
        customer.standings,
        customer.due,
        customer.ties,
    )


def with_own_event(customer: Customer, name: str, at: int, now: int) -> Customer:
    """Count an event for its identity, where that is kept apart; the customer's are counted besides."""
    ties = customer.ties
    if ties is None or ties.own is None:
        return customer
    return tied(customer, own=noted(ties.own, name, at, now))


def with_record(customer: Customer, order: Order, record: bytes | None) -> Customer | None:
    """Take a later record over, or nothing if this one is not later than what is known; no record is an erasure."""
    if not _is_later(customer, order):
        return None
    ties = customer.ties
    if record is None and ties is not None:
        own: dict[str, Tally] | None = {} if ties.customer is not None else None
        ties = msgspec.structs.replace(ties, own=own, carried=None)
    return Customer(
        order.incarnation,
        order.number,
        max(customer.customer_version, order.number),
        record,
        # An erased customer leaves nothing behind but the version, against stale records, and where they stood.
        {} if record is None else customer.tallies,
        customer.standings,
        customer.due,
        ties,
    )


def vacated(customer: Customer, order: Order, now: int) -> Customer | None:
    """Take over that the id is no customer's any more, or nothing if that is not later than what is known.

    What was done by it stays: it counts for whoever it belongs to now.
    """
    if not _is_later(customer, order):
        return None
    gone = changed(
        customer,
        incarnation=order.incarnation,
        version=order.number,
        customer_version=max(customer.customer_version, order.number),
        record=None,
    )
    ties = customer.ties
    alone = ties is None or ties.own is None
    return tied(gone, gone=True, together=now) if alone else tied(gone, gone=True)


def _is_later(customer: Customer, order: Order) -> bool:
    return (order.incarnation, order.number) > (customer.incarnation, customer.version)
