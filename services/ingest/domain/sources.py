"""A source is a sender by name: how strictly it is read, what holds where an event is silent, how much it may send."""

from dataclasses import dataclass
from enum import StrEnum


class Strictness(StrEnum):
    """What becomes of event names that are not in the catalogue: an open source's are kept, a strict one's refused."""

    OPEN = "open"
    STRICT = "strict"


_UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Source:
    """One sender.

    `region` (ISO 3166) is where its phone numbers are without a country code and `zone` (IANA) where its people are, if
    an event does not say; `rate` is events a second and `burst` how many at once, both without a bound if null. The
    events of a `paused` source wait in the quarantine.
    """

    name: str
    kind: str
    strictness: Strictness = Strictness.OPEN
    region: str | None = None
    zone: str | None = None
    rate: int | None = None
    burst: int | None = None
    paused: bool = False

    @classmethod
    def unregistered(cls, name: str) -> "Source":
        """Return what holds for a name that nobody registered: open, and nothing is assumed."""
        return cls(name, _UNREGISTERED)

    @property
    def is_registered(self) -> bool:
        """Tell whether somebody added this source."""
        return self.kind != _UNREGISTERED
