"""What a source may be called and have, and when a new key may be made for it: the rules of registering one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum

from services.ingest.domain.keys import MOST_ACTIVE, StoredKey
from services.ingest.domain.tallies import OTHER

LONGEST_NAME = 100
NAME_RULE = (
    f"1 to {LONGEST_NAME} letters, digits and . _ - : / ~ @ + #, the first of them a letter, a digit or /; "
    "not `unknown`, `other` or `unregistered`"
)

# CloudEvents name their source by a URI, so what a URI is written with is allowed.
_NAME = re.compile(rf"[A-Za-z0-9/][A-Za-z0-9._:/~@+#-]{{0,{LONGEST_NAME - 1}}}")
_RESERVED = frozenset({"unknown", OTHER, "unregistered"})


class Kind(StrEnum):
    """What a source is; for people only, nothing depends on it."""

    WEB = "web"
    MOBILE = "mobile"
    SERVER = "server"
    KAFKA = "kafka"
    WAREHOUSE = "warehouse"
    DEVICE = "device"


def is_name(text: str) -> bool:
    """Tell whether a source may be called so."""
    return _NAME.fullmatch(text) is not None and text.lower() not in _RESERVED


def nearest(text: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, if any is."""
    by_folded = {word.casefold(): word for word in known}
    found = get_close_matches(text.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new key may be made; these keys end at `ends_at`."""

    ending: Sequence[str]
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class TooManyKeys:
    """No new key may be made before one of these, the active ones, has ended or is revoked."""

    active: Sequence[StoredKey]


def rotation(active: Sequence[StoredKey], ends_at: datetime) -> Rotated | TooManyKeys:
    """Decide what a new key means for the active ones of its source: each ends at `ends_at` at the latest."""
    if len(active) >= MOST_ACTIVE:
        return TooManyKeys(active)
    ending = [key.id for key in active if key.ends_at is None or key.ends_at > ends_at]
    return Rotated(ending, ends_at)
