"""What is kept of an identity or a whole customer so that events fold in and states join: sums, extremes, registers."""

from copy import copy
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.contracts.customers import ConsentStatus
from shared.contracts.identities import IdentityRef


class Register(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last write to a name, with the event that wrote it: JSON bytes, `null` for what was unset."""

    at: datetime
    message_id: str
    source: str
    value: bytes


class ConsentRegister(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last word about one purpose on one channel."""

    at: datetime
    state: ConsentStatus


class TallyRegister(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often something happened, first and last."""

    count: int
    first_at: datetime
    last_at: datetime


class MailRegister(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """When an address last took a mail, bounced one for good, complained, and was put on a provider's list of those."""

    delivered_at: datetime | None = None
    bounced_at: datetime | None = None
    complained_at: datetime | None = None
    suppressed_at: datetime | None = None


class State(msgspec.Struct, array_like=True, gc=False):
    """The fold of a set of events; as MessagePack, an array, so that fields may be added at its end.

    Only `fold` changes one, and only a copy of its own: it replaces the dictionaries within and never touches their
    contents, so a shallow copy is enough, and one that is still the same object holds the same.

    `tallies` counts by what happened; `sums` adds money by what for, then by currency; `registers` holds, by book, what
    was written last under a name (tickets by id, the owner); `mail` is by the identity_id of an e-mail address.
    """

    first_at: datetime
    last_at: datetime
    identities: dict[str, IdentityRef] = {}
    order_count: int = 0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    revenue: dict[str, Decimal] = {}
    traits: dict[str, Register] = {}
    consent: dict[str, ConsentRegister] = {}
    tallies: dict[str, TallyRegister] = {}
    sums: dict[str, dict[str, Decimal]] = {}
    registers: dict[str, dict[str, Register]] = {}
    mail: dict[str, MailRegister] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def dump(state: State) -> bytes:
    """Pack a state into the bytes that are stored."""
    return _encoder.encode(state)


def load(document: bytes) -> State:
    """Unpack what `dump` packed."""
    return _decoder.decode(document)


def own(state: State) -> State:
    """Return a copy that may be folded into."""
    return copy(state)
