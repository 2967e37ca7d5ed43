"""A record of the log as everybody reads it, whichever client fetched it."""

from collections.abc import Sequence
from typing import Protocol


class Record(Protocol):
    """One Kafka record, as the consumer hands it out; `partition` is the lane, `timestamp` milliseconds since 1970."""

    @property
    def topic(self) -> str:
        """Name of the topic."""
        ...

    @property
    def partition(self) -> int:
        """The lane."""
        ...

    @property
    def offset(self) -> int:
        """Place in the partition."""
        ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def key(self) -> bytes | None:
        """The sender's key."""
        ...

    @property
    def value(self) -> bytes | None:
        """The bytes as sent; null is a tombstone."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The headers, names may repeat."""
        ...
