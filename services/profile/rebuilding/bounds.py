"""How much is read of a customer in one snapshot: beyond that, it is passed over, and counted."""

import msgspec

from services.profile.domain.extent import MOST_RESOLVED

MOST_EVENTS = 100_000
"""A few seconds; whoever has more would keep a connection and a snapshot for minutes, once in each round."""


class TooMuchError(Exception):
    """Of these customers and of whoever is linked with them, more would have to be read than is."""


class Bounds(msgspec.Struct, frozen=True):
    """What is read at most of those who are compared together; without `events`, as many of these as there are."""

    identities: int = MOST_RESOLVED
    links: int = 10 * MOST_RESOLVED
    events: int | None = None
