"""What a retry does not change: an event's dedupe key and payload hash, and an id for events that have none."""

import re
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import NAMESPACE_URL, uuid5

import msgspec

from services.ingest.domain.times import microseconds
from shared.contracts.identities import IdentityKind, IdentityRef

_OWN_IDS = frozenset({IdentityKind.USER_ID.value, IdentityKind.ANONYMOUS_ID.value})
_NAMESPACE = uuid5(NAMESPACE_URL, "urn:rapport:raw-event")
_UUID_LENGTH = 36
_UUID_VERSION_AT = 14
_UUIDV7 = re.compile("HHHHHHHH-HHHH-7HHH-[89abAB]HHH-HHHHHHHHHHHH".replace("H", "[0-9a-fA-F]"))


def _hex(milliseconds: int) -> str:
    return f"{milliseconds:012x}"


# Beyond these a clock is wrong, and a partition by month for it would be waste.
_FIRST = _hex(microseconds(datetime(1990, 1, 1, tzinfo=UTC)) // 1000)
_LAST = _hex(microseconds(datetime(2099, 12, 31, tzinfo=UTC)) // 1000)
_NO_TIME = _hex(0)

_canonical = msgspec.json.Encoder(order="deterministic")


def dedupe_key(source: str, message_id: str, original: int | None) -> str:
    """Name an event within its time: 48 bits of milliseconds and 80 of a hash, as 32 hexadecimal digits.

    The time is the message id's own if that is a UUIDv7 (RFC 9562), else the original time as it was sent, drawn into
    1990 to 2099, else 1970-01-01. Nothing that a retry changes has a part in it. `original` is in microseconds.
    """
    if len(message_id) == _UUID_LENGTH and message_id[_UUID_VERSION_AT] == "7" and _UUIDV7.fullmatch(message_id):
        at = _drawn((message_id[:8] + message_id[9:13]).lower())
    elif original is not None:
        at = _drawn(_hex(max(original // 1000, 0)))
    else:
        at = _NO_TIME
    return at + blake2b(f"{source}\0{message_id}".encode(), digest_size=10).hexdigest()


def payload_hash(name: str, identities: tuple[IdentityRef, ...], payload: msgspec.Raw, original: int | None) -> str:
    """Hash what an event says (128 bits of BLAKE2b over canonical JSON), without when it was sent or received.

    Of the identities its own ids count, else the strongest: all others are in the payload already, or depend on what
    was known about the source when the event came.
    """
    own = [(identity.kind, identity.value) for identity in identities if identity.kind in _OWN_IDS]
    if not own:
        own = [(identities[0].kind, identities[0].value)]
    return blake2b(_canonical.encode((name, own, original, payload)), digest_size=16).hexdigest()


def derived_id(topic: str, partition: int, offset: int, appended_ms: int, index: int) -> str:
    """Give an event without id one that each reading of the same record gives again.

    The time at which the broker appended the record stands for the topic's own id: a topic that was deleted and
    created again has other times.
    """
    return str(uuid5(_NAMESPACE, f"{topic}\0{partition}\0{offset}\0{appended_ms}\0{index}"))


def _drawn(at: str) -> str:
    # Digits of one length and case are in the order of their numbers.
    return min(max(at, _FIRST), _LAST)
