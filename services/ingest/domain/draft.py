"""A draft is an event in no vendor's shape: every shape is read into it, and all that follows knows it alone."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

NOTHING = msgspec.Raw(b"{}")
"""The object of an event that sent none."""


class Paths(msgspec.Struct, frozen=True):
    """Where a shape keeps what a draft holds, as JSON pointers, so that a problem can name its place.

    `said` and `original` are its times; one without a place of its own is told of the event as a whole.
    """

    name: str
    user_id: str
    anonymous_id: str
    message_id: str
    body: str
    context: str
    said: str = ""
    original: str = ""


class Draft(msgspec.Struct, frozen=True, gc=False):
    """One event, read and not yet checked.

    `body` is what happened and `context` its circumstances, both JSON objects as bytes; `added` are members that the
    shape keeps beside the body. Times are aware: `said` is what the sender says, `original` its clock when the event
    happened and `sent` the same clock when it was sent; `first` is the raw time that a retry repeats.
    """

    paths: Paths
    source: str
    name: str
    message_id: str | None
    user_id: str | int | None
    anonymous_id: str | int | None
    said: datetime | None
    original: datetime | None
    sent: datetime | None
    body: msgspec.Raw
    context: msgspec.Raw
    added: Mapping[str, str] | None = None

    @property
    def first(self) -> datetime | None:
        """Return the raw original time."""
        return self.original or self.said
