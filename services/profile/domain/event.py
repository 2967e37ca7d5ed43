"""An interaction as the fold sees it: checked, its time clamped, its effect read."""

import re
from datetime import UTC, datetime, timedelta

import msgspec

from services.profile.domain.effects import Effect, effect_of
from shared.contracts.identities import IdentityKind, IdentityRef, strongest
from shared.contracts.interactions import Interaction

AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours; one bad clock would else freeze a trait for years."""

_ID_BYTES = 16
_ID = re.compile(r"[0-9a-f]{32}")
_DIGITS = "32 lower-case hexadecimal digits"
_OBJECT = ord("{")
_PAIR = 2
_STRONGEST = str(IdentityKind.USER_ID)
_fromhex = bytes.fromhex


class RefusedInteractionError(ValueError):
    """An interaction breaks the contract in a way that its types do not show: where, and what was expected."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path
        self.expected = expected


class Event(msgspec.Struct, frozen=True, gc=False):
    """One interaction, ready to be applied: `owner` is the identity that it belongs to, `others` what else it names.

    `key` and `payload_hash` are the dedupe key and the payload's hash as 16 bytes each, `owner_key` the owner's id
    likewise; both times are in UTC and `occurred_at` is at most five minutes after `received_at`.
    """

    interaction: Interaction
    key: bytes
    payload_hash: bytes
    owner: IdentityRef
    owner_key: bytes
    occurred_at: datetime
    received_at: datetime
    payload: bytes
    context: bytes
    effect: Effect | None
    others: tuple[IdentityRef, ...] = ()


def event_of(interaction: Interaction) -> Event:
    """Check an interaction and read its effect.

    Raises:
        RefusedInteractionError: an id is not 32 hexadecimal digits, a time has no offset or no place in the calendar,
            nobody is identified, or payload or context is not an object.
        UnreadablePayloadError: the payload is not what the event's name promises.
    """
    owner = _owner(interaction.identities)
    key, payload_hash = interaction.dedupe_key, interaction.payload_hash
    try:
        key_bytes, hash_bytes, owner_key = _fromhex(key), _fromhex(payload_hash), _fromhex(owner.id)
    except ValueError:
        raise _refused_id(interaction) from None
    # fromhex skips blanks and takes capitals: only digits that come back the same are an id.
    if key_bytes.hex() != key or hash_bytes.hex() != payload_hash or owner_key.hex() != owner.id:
        raise _refused_id(interaction)
    if not len(key_bytes) == len(hash_bytes) == len(owner_key) == _ID_BYTES:
        raise _refused_id(interaction)
    occurred_at, received_at = interaction.occurred_at, interaction.received_at
    if occurred_at.tzinfo is not UTC or received_at.tzinfo is not UTC:
        occurred_at, received_at = _in_utc("$.occurred_at", occurred_at), _in_utc("$.received_at", received_at)
    if occurred_at > received_at:
        occurred_at = min(occurred_at, _latest(received_at))
    payload, context = bytes(interaction.payload), bytes(interaction.context)
    if payload[0] != _OBJECT or context[0] != _OBJECT:
        raise RefusedInteractionError("$.payload" if payload[0] != _OBJECT else "$.context", "an object")
    effect = effect_of(interaction.name, interaction.family, interaction.payload)
    identities = interaction.identities
    others = () if len(identities) == 1 else _others(identities, owner)
    return Event(
        interaction, key_bytes, hash_bytes, owner, owner_key, occurred_at, received_at, payload, context, effect, others
    )


def _owner(identities: tuple[IdentityRef, ...]) -> IdentityRef:
    if not identities:
        raise RefusedInteractionError("$.identities", "at least one identity")
    if len(identities) == 1:
        return identities[0]
    # Ingest puts the strongest first, and mostly it is the one user id: then nothing is left to compare.
    first, second = identities[0], identities[1]
    if first.kind == _STRONGEST and second.kind != _STRONGEST and len(identities) == _PAIR:
        return first
    return strongest(identities)


def _others(identities: tuple[IdentityRef, ...], owner: IdentityRef) -> tuple[IdentityRef, ...]:
    others = {one.id: one for one in identities if one.id != owner.id}
    for name in others:
        if _ID.fullmatch(name) is None:
            raise RefusedInteractionError("$.identities[...].id", _DIGITS)
    return tuple(others.values())


def _refused_id(interaction: Interaction) -> RefusedInteractionError:
    for path, digits in (("$.dedupe_key", interaction.dedupe_key), ("$.payload_hash", interaction.payload_hash)):
        if _ID.fullmatch(digits) is None:
            return RefusedInteractionError(path, _DIGITS)
    return RefusedInteractionError("$.identities[...].id", _DIGITS)


def _in_utc(path: str, at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise RefusedInteractionError(path, "a time with an offset")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise RefusedInteractionError(path, "a time between the years 1 and 9999") from error


def _latest(received_at: datetime) -> datetime:
    try:
        return received_at + AHEAD
    except OverflowError as error:
        raise RefusedInteractionError("$.received_at", "a time between the years 1 and 9999") from error
