"""A kept event is written as a record again, so that reading it gives what it would have given at its first place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from services.ingest.domain.causes import cause_of
from services.ingest.domain.exact_json import decode_exact, encode_exact
from services.ingest.domain.fingerprint import derived_id
from services.ingest.domain.mending import OURS, Headers
from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.shapes import cloudevents, snowplow
from services.ingest.domain.times import microseconds

REPLAY_HEADER = "crm_replay"
_TICKET_LENGTH = 32
_MOST_DIGITS = 18


class Kept(msgspec.Struct, frozen=True):
    """A refused event as the quarantine keeps it; mended headers, if any, tell that the value was mended too."""

    id: int
    topic: str
    lane: int
    record_offset: int
    event_index: int
    appended_at: datetime
    source: str
    cause: str
    state: str
    received_at: datetime
    ticket: UUID
    original: bytes | None
    around: bytes | None
    key: bytes | None
    headers: Headers
    mended: bytes | None = None
    mended_headers: Headers | None = None

    @property
    def value(self) -> bytes | None:
        """Return the event's bytes as they are now."""
        return self.original if self.mended_headers is None else self.mended

    @property
    def current_headers(self) -> Headers:
        """Return the record's headers as they are now."""
        return self.headers if self.mended_headers is None else self.mended_headers


class Replayed(msgspec.Struct, frozen=True):
    """A record that holds one kept event, at the place of the record that it came in."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Ticket:
    """Proof that a record was written by a replay of ours: the entry's number, and a secret of the entry's own."""

    entry: int
    secret: str


@dataclass(frozen=True, slots=True)
class Acceptable:
    """The event would be accepted as it is now."""


@dataclass(frozen=True, slots=True)
class StillBad:
    """The event would be refused again."""

    problem: Problem
    source: str
    event: str | None

    @property
    def cause(self) -> str:
        """Return the cause that it would then be kept under."""
        return cause_of(self.source, self.problem, self.event)


@dataclass(frozen=True, slots=True)
class Empty:
    """There is no event in it any more, so that nothing would ever settle it."""


Judgement: TypeAlias = Acceptable | StillBad | Empty


def replayed(kept: Kept) -> Replayed:
    """Write a kept event as a record.

    What stood around it in its batch is put around it again. It is received when it was received first, and an event
    without an id of its own has the one that its first place gave it.
    """
    appended_ms = microseconds(kept.appended_at) // 1000
    place = (kept.topic, kept.lane, kept.record_offset, appended_ms)
    value = _value(kept, place)
    headers: list[tuple[str, Any]] = [(name, text) for name, text in kept.current_headers if name not in OURS]
    headers += [
        ("received_at", kept.received_at.isoformat().encode()),
        ("crm_message_id", derived_id(*place, kept.event_index).encode()),
        (REPLAY_HEADER, f"{kept.id}:{kept.ticket.hex}".encode()),
    ]
    return Replayed(*place, kept.key, value, headers)


def judge(kept: Kept, reader: Reader) -> Judgement:
    """Read a kept event as ingest will read its replay.

    A batch that was refused whole and now has several events is acceptable: each of them stands or falls alone.
    """
    readings = read(replayed(kept), reader)
    if not readings:
        return Empty()
    first = readings[0]
    if len(readings) == 1 and isinstance(first, Refused):
        return StillBad(first.problem, first.source, first.event)
    return Acceptable()


def ticket_of(headers: Sequence[tuple[str, bytes]]) -> Ticket | None:
    """Find the ticket of a replay among a record's headers; anybody may have written them."""
    for name, text in headers:
        if name == REPLAY_HEADER and text:
            number, _, secret = text.decode("latin-1").partition(":")
            if (
                number.isascii()
                and number.isdecimal()
                and len(number) <= _MOST_DIGITS
                and len(secret) == _TICKET_LENGTH
                and all(digit in "0123456789abcdef" for digit in secret)
            ):
                return Ticket(int(number), secret)
    return None


def _value(kept: Kept, place: tuple[str, int, int, int]) -> bytes | None:
    value = kept.value
    if value is None:
        return None
    if kept.around is not None:
        inner = kept.around.rstrip().removesuffix(b"}").rstrip()
        return b'%s%s"batch":[%s]}' % (inner, b"" if inner.endswith(b"{") else b",", value)
    media_type = _media_type(kept.current_headers)
    if media_type.startswith(cloudevents.BATCH_MEDIA_TYPE):
        return value if value.lstrip().startswith(b"[") else b"[" + value + b"]"
    if media_type.startswith(cloudevents.MEDIA_TYPE):
        return value
    if media_type.startswith(snowplow.MEDIA_TYPE):
        return _named(value, "data", "eid", place)
    return _named(value, "batch", "messageId", place)


def _named(value: bytes, array: str, name: str, place: tuple[str, int, int, int]) -> bytes:
    """Give the events of a batch that was kept whole the ids that their first places gave them."""
    if b'"' + array.encode() + b'"' not in value:
        return value
    document = decode_exact(value)
    members = document.get(array) if isinstance(document, dict) else None
    if not isinstance(members, list):
        return value
    nameless = [(index, each) for index, each in enumerate(members) if isinstance(each, dict) and not each.get(name)]
    if len(members) == 1 or not nameless:
        return value
    for index, member in nameless:
        member[name] = derived_id(*place, index)
    return encode_exact(document)


def _media_type(headers: Headers) -> str:
    found = ""
    for name, text in headers:
        if name.lower() == "content-type":
            found = (text or b"").decode("latin-1").strip().lower()
    return found
