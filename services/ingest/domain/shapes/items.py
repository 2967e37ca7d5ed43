"""What a record held: each event's draft or problem, beside its own bytes."""

import msgspec

from services.ingest.domain.draft import Draft
from services.ingest.domain.problems import Problem, Reason, Stage

LARGEST_EVENT = 32 * 1024
"""Bytes of an event at most."""

MOST_EVENTS = 10_000
"""Events of a batch at most: each that is refused costs a row and a dead letter."""

LARGEST_BATCH = 16 * 1024 * 1024
"""Bytes of a batch's events at most, once each of them carries what the batch says about all."""


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event of a record.

    `original` is its own bytes as they were sent; `around` is what its batch said about all of its events, without
    which the event alone cannot be read again. `message_id` and `source` are the event's own words, not yet checked.
    """

    reading: Draft | Problem
    original: bytes | None
    around: bytes | None = None
    message_id: str | None = None
    source: str | None = None


def too_many(events: int, path: str) -> Problem:
    """Say that a batch holds more events than are taken at once."""
    expected = f"at most {MOST_EVENTS} events a batch"
    return Problem(Stage.LIMITS, Reason.TOO_LARGE, path, expected, f"{events} events")


def unreadable(data: bytes, path: str = "") -> Problem | None:
    """Tell what forbids reading these bytes as one event: too many, or not UTF-8."""
    if len(data) > LARGEST_EVENT:
        return Problem(
            Stage.LIMITS, Reason.TOO_LARGE, path, f"at most {LARGEST_EVENT} bytes an event", f"{len(data)} bytes"
        )
    if data.isascii():
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return Problem(Stage.PARSE, Reason.NOT_UTF8, path, "UTF-8", "other bytes")
    return None
