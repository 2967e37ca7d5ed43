"""A request's body, read as it comes: never past the limit, and held against the budget before it is kept."""

from dataclasses import dataclass

from services.ingest.gateway.answers import Receive
from services.ingest.gateway.budget import Lease
from services.ingest.gateway.inflating import TooLarge


@dataclass(frozen=True, slots=True)
class Gone:
    """The client left, or took too long; nobody waits for an answer."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The budget holds no more."""


TOO_LARGE = TooLarge()
GONE = Gone()
NO_ROOM = NoRoom()


async def body(receive: Receive, length: int | None, most: int, lease: Lease) -> bytes | TooLarge | Gone | NoRoom:
    """Read a body of `length` bytes, or of unknown length; what is refused by its length alone is not read."""
    if length is not None and length > most:
        return TOO_LARGE
    # Of strangers only what they have sent counts: else a few who only announce something would take all their room.
    is_reserved = length is not None and not lease.is_anonymous
    if is_reserved and not lease.grow(length or 0):
        return NO_ROOM
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return GONE
        part = message.get("body", b"")
        if part:
            size += len(part)
            if size > most:
                return TOO_LARGE
            if not is_reserved and not lease.grow(len(part)):
                return NO_ROOM
            parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
