"""Where a page ended, as text that a reader brings back for the next one and need not understand."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import TypeVar

import msgspec

T = TypeVar("T")

LONGEST = 2_000
_KEY_BYTES = 16
_ID = re.compile(r"[0-9a-f]{32}")


class BadCursorError(ValueError):
    """What was brought is no cursor of ours."""

    def __init__(self) -> None:
        super().__init__("expected a cursor as the page before gave it")


class Moment(msgspec.Struct, frozen=True, array_like=True, tag="t", forbid_unknown_fields=True):
    """The last activity of a page: its event time and its key."""

    occurred_at: datetime
    key: bytes


class Spelt(msgspec.Struct, frozen=True, array_like=True, tag="s", forbid_unknown_fields=True):
    """The last hit of a page among those that begin as was asked: its term and its identity."""

    term: str
    identity: bytes


class Alike(msgspec.Struct, frozen=True, array_like=True, tag="a", forbid_unknown_fields=True):
    """The last hit of a page among those that are only similar: how many there were before."""

    seen: int


class Member(msgspec.Struct, frozen=True, array_like=True, tag="m", forbid_unknown_fields=True):
    """The last identity of a page of an account's: its id, 32 hexadecimal digits."""

    identity: str


Cursor = Moment | Spelt | Alike | Member

NOBODY = "0" * 32
"""The id that comes before all others."""


def written(cursor: Cursor) -> str:
    """Write a cursor as text that may stand in a URL."""
    return urlsafe_b64encode(msgspec.msgpack.encode(cursor)).rstrip(b"=").decode()


def moment(text: str) -> Moment:
    """Read a timeline's cursor.

    Raises:
        BadCursorError: it is none, or another list's.
    """
    return _read(text, _moments)


def hit(text: str) -> Spelt | Alike:
    """Read a search's cursor.

    Raises:
        BadCursorError: it is none, or another list's.
    """
    return _read(text, _hits)


def member(text: str) -> Member:
    """Read an account's cursor.

    Raises:
        BadCursorError: it is none, or another list's.
    """
    return _read(text, _members)


_members = msgspec.msgpack.Decoder(Member)
_moments = msgspec.msgpack.Decoder(Moment)
_hits: msgspec.msgpack.Decoder[Spelt | Alike] = msgspec.msgpack.Decoder(Spelt | Alike)


def _read(text: str, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if len(text) > LONGEST or not text.isascii():
        raise BadCursorError
    try:
        found = decoder.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        raise BadCursorError from None
    if not _fits(found):
        raise BadCursorError
    return found


def _fits(cursor: object) -> bool:
    match cursor:
        case Moment(at, key):
            return at.tzinfo is not None and len(key) == _KEY_BYTES
        case Spelt(term, identity):
            return len(identity) == _KEY_BYTES and "\0" not in term
        case Alike(seen):
            return seen >= 0
        case Member(identity):
            return _ID.fullmatch(identity) is not None
    return False
