"""A raw record becomes events: accepted ones in our shape, refused ones with what is wrong and their own bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.ingest.domain.acceptance import LONGEST_MESSAGE_ID, accept
from services.ingest.domain.draft import Draft
from services.ingest.domain.fingerprint import derived_id
from services.ingest.domain.identities import Identities
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.shapes import cloudevents, segment
from services.ingest.domain.shapes.items import LARGEST_BATCH, Item
from services.ingest.domain.times import arrival
from shared.contracts.interactions import Interaction
from shared.contracts.records import Record

UNKNOWN_SOURCE = "unknown"
_LONGEST_SOURCE = 255
_CONTENT_TYPE = "content-type"


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that cannot be accepted as it is, with all that is needed to read it again once it is mended."""

    problem: Problem
    original: bytes | None
    around: bytes | None
    source: str
    message_id: str | None
    received_at: datetime


Reading = Interaction | Refused


class _Hints(msgspec.Struct, gc=False):
    """What a record's headers say about it."""

    source: bytes | None = None
    received_at: bytes | None = None
    content_type: bytes | None = None
    is_cloudevent: bool = False


def read(record: Record, identities: Identities) -> Sequence[Reading]:
    """Read each event of a record, in order; whatever the bytes are, nothing is raised and nothing is dropped."""
    hints = _hints(record.headers)
    received = arrival(hints.received_at, record.timestamp)
    source = _source(hints.source)
    if isinstance(source, Problem):
        return (Refused(source, record.value, None, UNKNOWN_SOURCE, None, received),)
    items = _items(record, hints, source)
    if len(items) > 1:
        found = _too_much_around(record, len(items))
        if found is not None:
            return (Refused(found, record.value, None, source, None, received),)
    return [_judge(item, index, record, identities, source, received) for index, item in enumerate(items)]


def _too_much_around(record: Record, events: int) -> Problem | None:
    """Refuse a batch whole when a copy of its key and headers beside each refused event would grow past all bounds."""
    size = len(record.key or b"") + sum(len(name) + len(text or b"") for name, text in record.headers)
    if size * events <= LARGEST_BATCH:
        return None
    expected = f"at most {LARGEST_BATCH} bytes with a copy of key and headers for each event"
    return Problem(Stage.LIMITS, Reason.TOO_LARGE, "/headers", expected, f"{size} bytes, {events} events")


def _hints(headers: Sequence[tuple[str, bytes]]) -> _Hints:
    hints = _Hints()
    for name, value in headers:
        if name == "source":
            hints.source = value
        elif name == "received_at":
            hints.received_at = value
        elif name[:3].lower() == "ce_":
            hints.is_cloudevent = True
        elif len(name) == len(_CONTENT_TYPE) and name.lower() == _CONTENT_TYPE:
            hints.content_type = value
    return hints


def _items(record: Record, hints: _Hints, source: str) -> Sequence[Item]:
    value = record.value
    media_type = "" if hints.content_type is None else hints.content_type.decode("latin-1").strip().lower()
    if media_type.startswith(cloudevents.MEDIA_TYPE) and value is not None:
        if media_type.startswith(cloudevents.BATCH_MEDIA_TYPE):
            return cloudevents.read_batch(value)
        return (cloudevents.read_structured(value),)
    if hints.is_cloudevent and not media_type.startswith(cloudevents.MEDIA_TYPE):
        return (cloudevents.read_binary(value, record.headers, hints.content_type),)
    if value is None:
        problem = Problem(Stage.PARSE, Reason.NO_VALUE, "", "an event", "a record without a value")
        return (Item(problem, None),)
    return segment.read(value, source)


def _judge(item: Item, index: int, record: Record, identities: Identities, source: str, received: datetime) -> Reading:
    found, sender = item.reading, item.source or source
    if isinstance(found, Draft):
        draft = found
        place = (record.topic, record.partition, record.offset, record.timestamp, index)
        accepted = accept(draft, identities, received, draft.message_id or derived_id(*place))
        if isinstance(accepted, Interaction):
            return accepted
        found = accepted
    return Refused(found, item.original, item.around, _storable(sender), _known_id(item), received)


def _source(header: bytes | None) -> str | Problem:
    if not header:
        return UNKNOWN_SOURCE
    try:
        text = header.decode()
    except UnicodeDecodeError:
        return Problem(Stage.PARSE, Reason.NOT_UTF8, "/headers/source", "UTF-8", "other bytes")
    if len(text) > _LONGEST_SOURCE or not text.isprintable():
        expected = f"at most {_LONGEST_SOURCE} printable characters"
        return Problem(Stage.ENVELOPE, Reason.BAD_CHARACTER, "/headers/source", expected, "other text")
    return text


def _storable(source: str) -> str:
    return source if len(source) <= _LONGEST_SOURCE and source.isprintable() else UNKNOWN_SOURCE


def _known_id(item: Item) -> str | None:
    found = item.message_id
    return found if found and len(found) <= LONGEST_MESSAGE_ID and found.isprintable() else None
