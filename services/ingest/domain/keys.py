"""A write key names a source: made from random bytes, told once, kept as a hash, compared in constant time."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

ID_BYTES = 5
SECRET_BYTES = 32
RANDOM_BYTES = ID_BYTES + SECRET_BYTES
"""Random bytes that a key is made from."""

LONGEST_KEY = 55
"""Characters of a key; whatever is longer is none."""

MOST_ACTIVE = 2
"""Keys of a source that are good at one time: the one in use, and the one that replaces it."""

# No capital, `-` or `_` in an id: it is typed as an argument of a command, and read aloud.
_KEY = re.compile(r"rk_([a-z2-7]{8})_[A-Za-z0-9_-]{43}")
_ID = re.compile(r"[a-z2-7]{8}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is made: its id, its text (which nobody sees again) and the hash that is kept."""

    id: str
    text: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept: good until it `ends_at`, or for ever."""

    id: str
    source: str
    hash: bytes
    ends_at: datetime | None

    def matches(self, text: str, now: datetime) -> bool:
        """Tell whether a text is this key and good at `now`; how long that takes says nothing about the key."""
        same = hmac.compare_digest(self.hash, hash_of(text))
        return same and (self.ends_at is None or now < self.ends_at)


def make(random: bytes) -> NewKey:
    """Make a key from `RANDOM_BYTES` random bytes: `rk_`, an id of eight characters, `_`, and the secret.

    Raises:
        ValueError: there are more bytes or fewer.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a key is made from {RANDOM_BYTES} bytes, got {len(random)}")
    key_id = base64.b32encode(random[:ID_BYTES]).decode().lower()
    secret = base64.urlsafe_b64encode(random[ID_BYTES:]).decode().rstrip("=")
    text = f"rk_{key_id}_{secret}"
    return NewKey(key_id, text, hash_of(text))


def id_of(text: str) -> str | None:
    """Return the id in a key's text, or nothing when the text is no key; says nothing about the secret."""
    found = _KEY.fullmatch(text) if len(text) == LONGEST_KEY else None
    return None if found is None else found[1]


def is_id(text: str) -> bool:
    """Tell whether a text has the form of a key's id."""
    return _ID.fullmatch(text) is not None


def hash_of(text: str) -> bytes:
    """Hash a key's whole text; its secret has 256 random bits, which no salt or slow hash would make any safer."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
