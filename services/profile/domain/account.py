"""An account, the company or team that customers belong to, with a record of its own that joins like theirs."""

from datetime import datetime

import msgspec

from services.profile.domain.event import Event
from services.profile.domain.registers import written
from services.profile.domain.state import Register
from shared.contracts.accounts import AccountRecord
from shared.contracts.catalogue import GROUP
from shared.contracts.codec import MalformedMessageError, decode, encode
from shared.contracts.customers import LARGEST_TRAIT, MOST_TRAITS, Trait
from shared.contracts.payloads.accounts import GroupPayload


class AccountState(msgspec.Struct, array_like=True, gc=False):
    """The fold of a set of events that name one account; as MessagePack, an array that may grow at its end."""

    first_at: datetime
    last_at: datetime
    traits: dict[str, Register] = {}


def account_of(event: Event) -> tuple[str, AccountState] | None:
    """Read what one event says about an account: its id and the state of that event alone; nothing if it names none.

    A trait larger than a record has room for is left out, for the event is about a person too and counts for that.
    """
    said = event.interaction
    if said.name != GROUP:
        return None
    try:
        payload = decode(GroupPayload, said.payload)
    except MalformedMessageError:
        return None
    if "\0" in payload.group_id:
        return None  # no table takes it
    values = {
        name: encode(value)
        for name in payload.__struct_fields__
        if name != "group_id" and (value := getattr(payload, name)) is not None
    }
    traits = {
        name: Register(event.occurred_at, said.message_id, said.source, value)
        for name, value in values.items()
        if len(value) <= LARGEST_TRAIT
    }
    return payload.group_id, AccountState(event.occurred_at, event.occurred_at, traits)


def join(one: AccountState, other: AccountState) -> AccountState:
    """Return the state of the events of both; commutative, associative, and the same for an event taken twice."""
    return AccountState(
        min(one.first_at, other.first_at),
        max(one.last_at, other.last_at),
        written(one.traits, other.traits.items(), MOST_TRAITS),
    )


def record_of(account_id: str, state: AccountState) -> AccountRecord:
    """Draw an account's record."""
    traits = {
        name: Trait(msgspec.Raw(register.value), register.source, register.at)
        for name, register in state.traits.items()
    }
    return AccountRecord(account_id=account_id, traits=traits, first_at=state.first_at, last_at=state.last_at)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AccountState)


def dump(state: AccountState) -> bytes:
    """Pack a state into the bytes that are stored."""
    return _encoder.encode(state)


def load(document: bytes) -> AccountState:
    """Unpack what `dump` packed."""
    return _decoder.decode(document)
