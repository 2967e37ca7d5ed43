"""CloudEvents 1.0 over Kafka: structured, batched and binary; (source, id) is the event's identity."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.ingest.domain.decoding import decode, decoder, encode_object
from services.ingest.domain.draft import NOTHING, Draft, Paths
from services.ingest.domain.problems import Problem, Reason, Stage, escaped
from services.ingest.domain.shapes.cloudevent_attributes import Attributes, check
from services.ingest.domain.shapes.items import LARGEST_EVENT, MOST_EVENTS, Item, too_many, unreadable
from services.ingest.domain.shapes.splitting import members
from shared.contracts import catalogue

MEDIA_TYPE = "application/cloudevents"
BATCH_MEDIA_TYPE = "application/cloudevents-batch"

_PREFIX = "ce_"
_NULL = b"null"
_NAMES = {
    "identify": catalogue.IDENTIFY,
    "page": catalogue.PAGE,
    "screen": catalogue.SCREEN,
    "group": catalogue.GROUP,
    "alias": catalogue.ALIAS,
}
_STRUCTURED = Paths("/type", "/subject", "/anonymousid", "/id", "/data", "", said="/time")
_ENCODED = Paths("/type", "/subject", "/anonymousid", "/id", "/data_base64", "", said="/time")
_BINARY = Paths(
    "/headers/ce_type",
    "/headers/ce_subject",
    "/headers/ce_anonymousid",
    "/headers/ce_id",
    "",
    "",
    said="/headers/ce_time",
)

_members: msgspec.json.Decoder[dict[str, msgspec.Raw]] = decoder(dict[str, msgspec.Raw])
_events: msgspec.json.Decoder[list[msgspec.Raw]] = decoder(list[msgspec.Raw])
_anything: msgspec.json.Decoder[Any] = decoder(Any)
_text: msgspec.json.Decoder[str] = decoder(str)


def read_structured(value: bytes) -> Item:
    """Read one event of the JSON format."""
    found = unreadable(value)
    if found is not None:
        return Item(found, value)
    event = decode(_members, value, Stage.ENVELOPE)
    if isinstance(event, Problem):
        return Item(event, value)
    data = event.pop("data", None)
    encoded = event.pop("data_base64", None)
    said: dict[str, object] = {}
    for name, text in event.items():
        attribute = decode(_anything, text, Stage.ENVELOPE, "/" + escaped(name))
        if isinstance(attribute, Problem):
            return Item(attribute, value)
        if attribute is not None:
            said[name] = attribute
    attributes = check(said, lambda name: f"/{name}")
    if isinstance(attributes, Problem):
        return Item(attributes, value, message_id=_said(said, "id"), source=_said(said, "source"))
    reading = _with_data(attributes, data, encoded)
    return Item(reading, value, message_id=attributes.id, source=attributes.source)


def read_batch(value: bytes) -> Sequence[Item]:
    """Read the JSON batch format: an array of events, each of which stands or falls alone."""
    events = decode(_events, value, Stage.ENVELOPE)
    if isinstance(events, Problem):
        texts, rest = ([], b"") if events.stage is Stage.ENVELOPE else members(value, None)
        mended = decode(_events, rest, Stage.ENVELOPE)
        if not texts or isinstance(mended, Problem):
            return (Item(events, value),)
    else:
        texts = [bytes(event) for event in events]
    if len(texts) > MOST_EVENTS:
        return (Item(too_many(len(texts), ""), value),)
    return [read_structured(text) for text in texts]


def read_binary(value: bytes | None, headers: Sequence[tuple[str, bytes]], content_type: bytes | None) -> Item:
    """Read one event whose attributes are headers and whose data is the value."""
    found = unreadable(value or b"") or _too_much_said(headers)
    if found is not None:
        return Item(found, value)
    said: dict[str, object] = {}
    for header, text in headers:
        if header[:3].lower() == _PREFIX and text is not None:
            attribute = _decoded(text, header)
            if isinstance(attribute, Problem):
                return Item(attribute, value)
            # A name written in capitals keeps them, so that it is found to be none.
            said[header[3:] if header.startswith(_PREFIX) else header] = attribute
    if content_type is not None:
        media_type = _decoded(content_type, "content-type")
        if isinstance(media_type, Problem):
            return Item(media_type, value)
        said["datacontenttype"] = media_type
    attributes = check(said, _header_of)
    if isinstance(attributes, Problem):
        return Item(attributes, value, message_id=_said(said, "id"), source=_said(said, "source"))
    body = NOTHING if not value else msgspec.Raw(value)
    reading = _draft(attributes, body, _BINARY)
    return Item(reading, value, message_id=attributes.id, source=attributes.source)


def _too_much_said(headers: Sequence[tuple[str, bytes]]) -> Problem | None:
    """Bound the attributes as the value is bounded: all of them go into the interaction."""
    size = sum(len(name) + len(text or b"") for name, text in headers if name[:3].lower() == _PREFIX)
    if size <= LARGEST_EVENT:
        return None
    expected = f"at most {LARGEST_EVENT} bytes of attributes"
    return Problem(Stage.LIMITS, Reason.TOO_LARGE, "/headers", expected, f"{size} bytes")


def _header_of(attribute: str) -> str:
    return "/headers/content-type" if attribute == "datacontenttype" else f"/headers/ce_{attribute}"


def _with_data(attributes: Attributes, data: msgspec.Raw | None, encoded: msgspec.Raw | None) -> Draft | Problem:
    plain = None if data is None or bytes(data) == _NULL else data
    if encoded is None or bytes(encoded) == _NULL:
        return _draft(attributes, plain or NOTHING, _STRUCTURED)
    if plain is not None:
        return Problem(Stage.ENVELOPE, Reason.DATA_TWICE, "/data_base64", "data or data_base64", "both")
    text = decode(_text, encoded, Stage.ENVELOPE, "/data_base64")
    if isinstance(text, Problem):
        return text
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return Problem(Stage.ENVELOPE, Reason.NOT_BASE64, "/data_base64", "base64 (RFC 4648)", "other text")
    return _draft(attributes, msgspec.Raw(body) if body else NOTHING, _ENCODED)


def _draft(attributes: Attributes, body: msgspec.Raw, paths: Paths) -> Draft | Problem:
    context = NOTHING
    if attributes.extensions:
        text = encode_object({"extensions": attributes.extensions}, "")
        if isinstance(text, Problem):
            return text
        context = msgspec.Raw(text)
    return Draft(
        paths=paths,
        source=attributes.source,
        name=_NAMES.get(attributes.type, attributes.type),
        message_id=attributes.id,
        user_id=attributes.subject,
        anonymous_id=attributes.anonymous_id,
        said=attributes.time,
        original=None,
        sent=None,
        body=body,
        context=context,
    )


def _decoded(text: bytes, header: str) -> str | Problem:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return Problem(Stage.PARSE, Reason.NOT_UTF8, f"/headers/{escaped(header)}", "UTF-8", "other bytes")


def _said(said: Mapping[str, object], name: str) -> str | None:
    found = said.get(name)
    return found if isinstance(found, str) else None
