"""Snowplow's shape: one event of name-value pairs, or a `payload_data` document with an array of them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from services.ingest.domain.decoding import decode, decode_object, decoder
from services.ingest.domain.draft import NOTHING, Draft, Paths
from services.ingest.domain.problems import Problem, Reason, Stage, escaped, type_of
from services.ingest.domain.shapes.items import MOST_EVENTS, Item, too_many, unreadable
from services.ingest.domain.shapes.snowplow_context import context_of
from services.ingest.domain.shapes.snowplow_events import said_by
from services.ingest.domain.shapes.splitting import members
from services.ingest.domain.times import EPOCH

MEDIA_TYPE = "application/vnd.snowplow"
"""How a record's content type begins when its value is in this shape."""

CONTENT_TYPE = b"application/vnd.snowplow+json"
"""The content type that the gateway writes, for both of Snowplow's methods."""

_MOST_DIGITS = 15
_LATEST = 253_402_300_799_999  # the end of 9999, in milliseconds
_ALONE = msgspec.Raw(b"")


class _Document(msgspec.Struct, gc=False):
    data: msgspec.Raw = _ALONE


_documents: msgspec.json.Decoder[_Document] = decoder(_Document)
_events: msgspec.json.Decoder[list[msgspec.Raw]] = decoder(list[msgspec.Raw])


def read(value: bytes, source: str) -> Sequence[Item]:
    """Read a record's value: one item for each member of `data`, or the one event that the value is without it."""
    document = decode(_documents, value, Stage.ENVELOPE)
    if isinstance(document, Problem):
        texts, _ = ([], b"") if document.stage is Stage.ENVELOPE else members(value, b"data")
        if not texts:
            return (_item(value, source),)
    elif document.data is _ALONE:
        return (_item(value, source),)
    else:
        events = decode(_events, document.data, Stage.ENVELOPE, "/data")
        if isinstance(events, Problem):
            return (Item(events, value),)
        texts = [bytes(event) for event in events]
    if len(texts) > MOST_EVENTS:
        return (Item(too_many(len(texts), "/data"), value),)
    return [_item(text, source) for text in texts]


def from_query(query: bytes) -> bytes:
    """Write the query string of `GET /i` as the JSON of one event: each pair in its order, also one that comes twice.

    Bytes that are no UTF-8 stay as they are, so that reading finds them; a name without a value has an empty one.
    """
    pairs = [part.partition(b"=") for part in query.split(b"&") if part]
    return b"{%s}" % b", ".join(b"%s: %s" % (_string(name), _string(value)) for name, _, value in pairs)


def _string(text: bytes) -> bytes:
    plain = unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "surrogateescape")
    return json.dumps(plain, ensure_ascii=False).encode("utf-8", "surrogateescape")


def _item(text: bytes, source: str) -> Item:
    found = unreadable(text)
    if found is not None:
        return Item(found, text)
    event = decode_object(text, Stage.ENVELOPE, "")
    if isinstance(event, Problem):
        return Item(event, text)
    pairs = _texts(event)
    message_id = event.get("eid")
    known = message_id if isinstance(message_id, str) else None
    return Item(pairs if isinstance(pairs, Problem) else _draft(pairs, source), text, message_id=known)


def _texts(event: Mapping[str, Any]) -> dict[str, str] | Problem:
    """Take every value as text, as trackers send them; null and "" are absent."""
    pairs: dict[str, str] = {}
    for name, value in event.items():
        if isinstance(value, dict | list | bool):
            return Problem(Stage.ENVELOPE, Reason.WRONG_TYPE, "/" + escaped(name), "string or number", type_of(value))
        if value is not None and value != "":
            pairs[name] = str(value)
    return pairs


def _draft(pairs: dict[str, str], source: str) -> Draft | Problem:
    # An instant of its own wins; else the clock of the device, which is corrected by when it says that it sent.
    said = _instant(pairs, "ttm")
    original = _instant(pairs, "dtm")
    sent = _instant(pairs, "stm")
    if isinstance(said, Problem):
        return said
    if isinstance(original, Problem):
        return original
    if isinstance(sent, Problem):
        return sent
    event = said_by(pairs)
    if isinstance(event, Problem):
        return event
    context = context_of(pairs, event.schema)
    if isinstance(context, Problem):
        return context
    return Draft(
        paths=Paths(event.name_path, "/uid", "/duid", "/eid", event.body_path, "", said="/ttm", original="/dtm"),
        source=source,
        name=event.name,
        message_id=pairs.get("eid"),
        user_id=pairs.get("uid"),
        anonymous_id=pairs.get("duid"),
        said=said,
        original=original if said is None else None,
        sent=sent if said is None else None,
        body=event.body,
        context=context or NOTHING,
    )


def _instant(pairs: Mapping[str, str], name: str) -> datetime | Problem | None:
    """Read milliseconds since 1970."""
    text = pairs.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        return Problem(Stage.ENVELOPE, Reason.NOT_A_TIME, f"/{name}", "milliseconds since 1970", "other text")
    if len(text) > _MOST_DIGITS or int(text) > _LATEST:
        return Problem(Stage.ENVELOPE, Reason.OUT_OF_RANGE, f"/{name}", "a time before the year 10000", "a later one")
    return EPOCH + timedelta(milliseconds=int(text))
