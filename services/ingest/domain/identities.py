"""An identifier from outside becomes an identity: cleaned, checked, and named by its keyed hash."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from services.ingest.domain import emails, phones
from services.ingest.domain.problems import Problem, Reason, Stage
from shared.contracts.identities import IdentityKind, IdentityRef, identity_id

LONGEST = 255
"""Characters of an identifier at most."""

NOBODY = frozenset({"-1", "null", "none", "n/a", "unknown", "undefined", "anonymous", "guest"})
"""What stands for nobody, in lower case."""

_ZEROS = re.compile(r"[0\-]*")
_EMAIL = IdentityKind.EMAIL.value
_PHONE = IdentityKind.PHONE.value


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no identifier: null, empty or missing, which are one."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """There is a value that stands for nobody, such as `unknown`: it would join strangers into one customer."""


ABSENT = Absent()
BLOCKED = Blocked()

Reading = IdentityRef | Absent | Blocked | Problem


class Claim(msgspec.Struct, frozen=True, gc=False):
    """An identifier as an event names it, not yet looked at, with the place where it stands."""

    kind: str
    value: str | int
    path: str


class Identities:
    """Names identifiers under one secret; the same identifier costs a look-up the second time."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._remembered = lru_cache(maxsize=1 << 16)(self._read)

    def read(self, kind: str, value: str | int | None, region: str | None = None) -> Reading:
        """Read one identifier; a `Problem` has no path yet.

        An e-mail address and a telephone number are known by their normal form; `region` (ISO 3166) is where a number
        without a country code is dialled, and says nothing about any other kind.
        """
        # Remembering what is too long for an identifier would let anybody fill our memory.
        if isinstance(value, str) and len(value) > LONGEST:
            return self._read(kind, value, None)
        return self._remembered(kind, value, region if kind == _PHONE else None)

    def _read(self, kind: str, value: str | int | None, region: str | None) -> Reading:
        text = "" if value is None else str(value).strip()
        if not text:
            return ABSENT
        if len(text) > LONGEST:
            return Problem(
                Stage.LIMITS, Reason.TOO_LONG, "", f"at most {LONGEST} characters", f"{len(text)} characters"
            )
        if not text.isprintable():
            return Problem(Stage.IDENTITY, Reason.BAD_CHARACTER, "", "printable text", "other characters")
        if text.lower() in NOBODY or _ZEROS.fullmatch(text):
            return BLOCKED
        normal = _NORMAL.get(kind)
        found = text if normal is None else normal(text, region)
        return found if not isinstance(found, str) else IdentityRef(identity_id(self._secret, kind, found), kind, found)


def _email(text: str, _region: str | None) -> str | Blocked | Problem:
    address = emails.normal_address(text)
    if address is None:
        return Problem(Stage.IDENTITY, Reason.NOT_AN_EMAIL, "", "an e-mail address", "other text")
    return BLOCKED if emails.is_nobodys(address) else address


def _phone(text: str, region: str | None) -> str | Blocked | Problem:
    if phones.is_nobodys(text):
        return BLOCKED
    number = phones.e164(text, region)
    if number is None:
        expected = "a telephone number with its country code, or of the country where its source is"
        return Problem(Stage.IDENTITY, Reason.NOT_A_PHONE, "", expected, "other text")
    return number


_NORMAL: dict[str, Callable[[str, str | None], str | Blocked | Problem]] = {_EMAIL: _email, _PHONE: _phone}
