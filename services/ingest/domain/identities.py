"""An identifier from outside becomes an identity: cleaned, checked, and named by its keyed hash."""

import re
from dataclasses import dataclass
from functools import lru_cache

from services.ingest.domain.problems import Problem, Reason, Stage
from shared.contracts.identities import IdentityRef, identity_id

LONGEST = 255
"""Characters of an identifier at most."""

_BLOCKED = frozenset({"-1", "null", "none", "n/a", "unknown", "undefined", "anonymous", "guest"})
_ZEROS = re.compile(r"[0\-]*")


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no identifier: null, empty or missing, which are one."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """There is a value that stands for nobody, such as `unknown`: it would join strangers into one customer."""


ABSENT = Absent()
BLOCKED = Blocked()

Reading = IdentityRef | Absent | Blocked | Problem


class Identities:
    """Names identifiers under one secret; the same identifier costs a look-up the second time."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._remembered = lru_cache(maxsize=1 << 16)(self._read)

    def read(self, kind: str, value: str | int | None) -> Reading:
        """Read one identifier; a `Problem` has no path yet."""
        # Remembering what is too long for an identifier would let anybody fill our memory.
        if isinstance(value, str) and len(value) > LONGEST:
            return self._read(kind, value)
        return self._remembered(kind, value)

    def _read(self, kind: str, value: str | int | None) -> Reading:
        text = "" if value is None else str(value).strip()
        if not text:
            return ABSENT
        if len(text) > LONGEST:
            return Problem(
                Stage.LIMITS, Reason.TOO_LONG, "", f"at most {LONGEST} characters", f"{len(text)} characters"
            )
        if not text.isprintable():
            return Problem(Stage.IDENTITY, Reason.BAD_CHARACTER, "", "printable text", "other characters")
        if text.lower() in _BLOCKED or _ZEROS.fullmatch(text):
            return BLOCKED
        return IdentityRef(identity_id(self._secret, kind, text), kind, text)
