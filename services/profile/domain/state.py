"""What is kept of a customer so that any further event folds in: totals, extremes, and registers with their order."""

from copy import copy
from datetime import datetime
from decimal import Decimal

import msgspec

from shared.contracts.customers import ConsentStatus
from shared.contracts.identities import IdentityRef


class TraitRegister(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trait's last write: JSON bytes, `null` for a trait that was unset."""

    at: datetime
    message_id: str
    source: str
    value: bytes


class ConsentRegister(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last word about one purpose on one channel."""

    at: datetime
    state: ConsentStatus


class State(msgspec.Struct, array_like=True, gc=False):
    """The fold of a set of events of one customer; as MessagePack, an array, so that fields may be added at its end.

    Only `fold.apply` changes one, and only a copy of its own: it replaces the dictionaries within and never touches
    their contents, so a shallow copy is enough.
    """

    first_at: datetime
    last_at: datetime
    identities: dict[str, IdentityRef] = {}
    order_count: int = 0
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    revenue: dict[str, Decimal] = {}
    traits: dict[str, TraitRegister] = {}
    consent: dict[str, ConsentRegister] = {}


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
