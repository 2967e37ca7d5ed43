"""An identity is one identifier of somebody: its kind and its normalised value, named by a keyed hash."""

import hmac
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class IdentityKind(StrEnum):
    """The kinds of identifier that are understood; any other has the name that its sender gives it."""

    USER_ID = "user_id"
    EMAIL = "email"
    PHONE = "phone"
    ANONYMOUS_ID = "anonymous_id"
    IOS_ID = "ios.id"
    ANDROID_ID = "android.id"
    CRM_ID = "crm_id"


PRIORITY: dict[str, int] = {IdentityKind.USER_ID: 0, IdentityKind.EMAIL: 1}
"""Rank by kind, strongest first; every other kind follows by name."""


class IdentityRef(msgspec.Struct, frozen=True):
    """One identifier with its `id`: 32 hexadecimal digits that may stand in keys and headers, as the value may not."""

    id: str
    kind: str
    value: str


def identity_id(secret: bytes, kind: str, value: str, generation: int = 0) -> str:
    """Name an identifier without revealing it.

    HMAC-SHA256 (RFC 2104) of kind, value and erasure generation, cut to 128 bits, as 32 hexadecimal digits. The
    generation rises when somebody is erased, so that what they do later is somebody new.
    """
    message = f"{kind}\0{value}\0{generation}".encode()
    return hmac.digest(secret, message, "sha256")[:16].hex()


def strength(identity: IdentityRef) -> tuple[int, str, str]:
    """Order identities, strongest first: rank of the kind, kind, id. A function of the identity alone."""
    return (PRIORITY.get(identity.kind, len(PRIORITY)), identity.kind, identity.id)


def strongest(identities: Sequence[IdentityRef]) -> IdentityRef:
    """Return the identity that an event belongs to; `identities` must not be empty."""
    return min(identities, key=strength)
