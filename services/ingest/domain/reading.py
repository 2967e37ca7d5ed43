"""A raw record becomes events: accepted ones in our shape, refused ones with what is wrong and their own bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.ingest.domain.acceptance import LONGEST_MESSAGE_ID, LONGEST_NAME, accept
from services.ingest.domain.draft import Draft
from services.ingest.domain.fingerprint import derived_id
from services.ingest.domain.identities import Identities
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.shapes import cloudevents, segment, snowplow
from services.ingest.domain.shapes.items import LARGEST_BATCH, Item
from services.ingest.domain.sources import Source
from services.ingest.domain.times import arrival
from shared.contracts.interactions import Interaction
from shared.contracts.records import Record

UNKNOWN_SOURCE = "unknown"
_LONGEST_SOURCE = 255
_CONTENT_TYPE = "content-type"
_PAUSED = Problem(Stage.POLICY, Reason.SOURCE_PAUSED, "", "a source that is not paused", "a paused source")


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs to know beside the record: how identities are named, and what is known about a source."""

    identities: Identities
    sources: Callable[[str], Source] = Source.unregistered


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that cannot be accepted as it is, with all that is needed to read it again once it is mended.

    `event` is its name, if it came far enough to have one that can be stored.
    """

    problem: Problem
    original: bytes | None
    around: bytes | None
    source: str
    message_id: str | None
    received_at: datetime
    event: str | None = None


Reading = Interaction | Refused


class _Hints(msgspec.Struct, gc=False):
    """What a record's headers say about it."""

    source: bytes | None = None
    received_at: bytes | None = None
    content_type: bytes | None = None
    type: bytes | None = None
    message_id: bytes | None = None
    is_cloudevent: bool = False


class _Place(msgspec.Struct, gc=False):
    """Where the events of a record come from; `source` is what the record says, `message_id` what replay remembers."""

    record: Record
    source: str
    received: datetime
    message_id: str | None


def read(record: Record, reader: Reader) -> Sequence[Reading]:
    """Read each event of a record, in order; whatever the bytes are, nothing is raised and nothing is dropped.

    An event is judged by what is known about the source that the record's header names, for that is what a gateway has
    authenticated; without a header by the event's own word.
    """
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
    place = _Place(record, source, received, _text(hints.message_id) if len(items) == 1 else None)
    known = reader.sources(source) if hints.source else None
    return [_judge(item, index, place, reader, known) for index, item in enumerate(items)]


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
        elif name == "crm_type":
            hints.type = value
        elif name == "crm_message_id":
            hints.message_id = value
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
    if media_type.startswith(snowplow.MEDIA_TYPE):
        return snowplow.read(value, source)
    return segment.read(value, source, _text(hints.type))


def _judge(item: Item, index: int, place: _Place, reader: Reader, known: Source | None) -> Reading:
    found, sender, record = item.reading, item.source or place.source, place.record
    if known is None:
        known = reader.sources(_storable(sender))
    if known.paused:
        found = _PAUSED
    elif isinstance(found, Draft):
        message_id = found.message_id or place.message_id
        if not message_id:
            message_id = derived_id(record.topic, record.partition, record.offset, record.timestamp, index)
        accepted = accept(found, reader.identities, known, place.received, message_id)
        if isinstance(accepted, Interaction):
            return accepted
        found = accepted
    known_id = _known_id(item.message_id) or _known_id(place.message_id)
    event = _known_name(item.reading.name) if isinstance(item.reading, Draft) else None
    return Refused(found, item.original, item.around, _storable(sender), known_id, place.received, event)


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


def _known_id(found: str | None) -> str | None:
    return found if found and len(found) <= LONGEST_MESSAGE_ID and found.isprintable() else None


def _known_name(found: str) -> str | None:
    return found if len(found) <= LONGEST_NAME and found.isprintable() else None


def _text(header: bytes | None) -> str | None:
    """Read a header of ours; what is no text is as if it were not there."""
    return None if not header else header.decode("utf-8", "replace")
