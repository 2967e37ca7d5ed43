"""Segment's shape: identify, track, page, screen, group and alias, alone or in a batch."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from services.ingest.domain.decoding import decode, decode_object, decoder, encode_object
from services.ingest.domain.draft import NOTHING, Draft, Paths
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.shapes.items import LARGEST_BATCH, LARGEST_EVENT, MOST_EVENTS, Item, too_many, unreadable
from services.ingest.domain.shapes.splitting import members
from services.ingest.domain.times import no_offset
from shared.contracts import catalogue

Text = str | int | None
ALONE = msgspec.Raw(b"")


class Head(msgspec.Struct, gc=False, rename="camel"):
    """A call but for what it says, before anything of it is checked but the types of its members."""

    type: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    user_id: Text = None
    anonymous_id: Text = None
    previous_id: Text = None
    group_id: Text = None
    message_id: str | None = None
    timestamp: datetime | None = None
    original_timestamp: datetime | None = None
    sent_at: datetime | None = None
    context: msgspec.Raw = NOTHING
    batch: msgspec.Raw = ALONE


class Call(Head, gc=False, rename="camel"):
    """A call as it is sent; what it says is read by its kind."""

    properties: msgspec.Raw = NOTHING
    traits: msgspec.Raw = NOTHING


class _Context(msgspec.Struct, gc=False):
    traits: msgspec.Raw = NOTHING


class Batch(msgspec.Struct, gc=False, rename="camel"):
    """Calls, and what is said about all of them."""

    batch: list[msgspec.Raw]
    sent_at: datetime | None = None
    context: msgspec.Raw = NOTHING
    integrations: msgspec.Raw = NOTHING


class _Shared(msgspec.Struct, frozen=True, gc=False):
    """What a batch says about all of its events."""

    sent: datetime | None
    context: Mapping[str, object]
    text: bytes


CALLS: msgspec.json.Decoder[Call] = decoder(Call)
BATCHES: msgspec.json.Decoder[Batch] = decoder(Batch)
_contexts: msgspec.json.Decoder[_Context | None] = decoder(_Context | None)

_IDS = ("/event", "/userId", "/anonymousId", "/messageId")
_TIMES = ("/timestamp", "/originalTimestamp")
_PROPERTIES = Paths(*_IDS, "/properties", "/context", *_TIMES)
_TRAITS = Paths(*_IDS, "/traits", "/context", *_TIMES)
_TRAITS_OF_CONTEXT = Paths(*_IDS, "/context/traits", "/context", *_TIMES)


def read(value: bytes, source: str, kind: str | None = None) -> Sequence[Item]:
    """Read a record's value: one item for a call, one for each member of a batch; an empty batch has none.

    `kind` is the type of a single call as its sender's route tells it, which counts before the call's own.
    """
    call = decode(CALLS, value, Stage.ENVELOPE)
    if isinstance(call, Problem):
        texts, rest = ([], b"") if call.stage is Stage.ENVELOPE else members(value, b"batch")
        if not texts:
            return (Item(unreadable(value) or call, value),)
        mended = decode(BATCHES, rest, Stage.ENVELOPE)
        return _read_batch(mended, texts, value, source)
    if call.batch is not ALONE:
        batch = decode(BATCHES, value, Stage.ENVELOPE)
        texts = [] if isinstance(batch, Problem) else [bytes(member) for member in batch.batch]
        return _read_batch(batch, texts, value, source)
    if kind is not None:
        call.type = kind
    return (_item(call, value, source, None),)


def _read_batch(batch: Batch | Problem, texts: Sequence[bytes], value: bytes, source: str) -> Sequence[Item]:
    shared = batch if isinstance(batch, Problem) else _shared(batch, len(texts))
    if isinstance(shared, Problem):
        return (Item(shared, value),)
    items: list[Item] = []
    for text in texts:
        call = decode(CALLS, text, Stage.ENVELOPE)
        if isinstance(call, Problem):
            items.append(Item(unreadable(text) or call, text, shared.text))
        else:
            items.append(_item(call, text, source, shared))
    return items


def _shared(batch: Batch, events: int) -> _Shared | Problem:
    found = too_much(batch, events)
    if found is not None:
        return found
    context = decode_object(batch.context, Stage.ENVELOPE, "/context")
    if isinstance(context, Problem):
        return context
    if batch.sent_at is not None and batch.sent_at.tzinfo is None:
        return no_offset("/sentAt")
    text = msgspec.json.encode({"sentAt": batch.sent_at, "context": context, "integrations": batch.integrations})
    return _Shared(batch.sent_at, context, text)


def too_much(batch: Batch, events: int) -> Problem | None:
    """Refuse what each event would carry a copy of, before it grows past all bounds."""
    if events > MOST_EVENTS:
        return too_many(events, "/batch")
    size = len(bytes(batch.context)) + len(bytes(batch.integrations))
    if size > LARGEST_EVENT or size * events > LARGEST_BATCH:
        expected = f"at most {LARGEST_EVENT} bytes, and {LARGEST_BATCH} with a copy in each event"
        return Problem(Stage.LIMITS, Reason.TOO_LARGE, "/context", expected, f"{size} bytes, {events} events")
    return None


def _item(call: Call, text: bytes, source: str, shared: _Shared | None) -> Item:
    reading = unreadable(text) or _draft(call, source, shared)
    return Item(reading, text, None if shared is None else shared.text, call.message_id)


def _draft(call: Call, source: str, shared: _Shared | None) -> Draft | Problem:
    found = _naive(call)
    if found is not None:
        return found
    kind = _KINDS.get(call.type or "")
    if kind is None:
        if not call.type:
            return _missing("/type", call.type)
        kinds = "identify, track, page, screen, group or alias"
        return Problem(Stage.ENVELOPE, Reason.UNKNOWN_TYPE, "/type", kinds, "another string")
    said = kind(call)
    if isinstance(said, Problem):
        return said
    context, sent = call.context, call.sent_at
    if shared is not None:
        sent = sent or shared.sent
        merged = _merged(context, shared.context)
        if isinstance(merged, Problem):
            return merged
        context = merged
    name, paths, body, added = said
    return Draft(
        paths=paths,
        source=source,
        name=name,
        message_id=call.message_id,
        user_id=call.user_id,
        anonymous_id=call.anonymous_id,
        said=call.timestamp,
        original=call.original_timestamp,
        sent=sent,
        body=body,
        context=context,
        added=added,
    )


_Said = tuple[str, Paths, msgspec.Raw, Mapping[str, str] | None] | Problem


def _track(call: Call) -> _Said:
    return (call.event, _PROPERTIES, call.properties, None) if call.event else _missing("/event", call.event)


def _identify(call: Call) -> _Said:
    if call.traits is NOTHING and call.context is not NOTHING:
        # RudderStack's SDK for Python says them in the context alone.
        context = decode(_contexts, call.context, Stage.ENVELOPE, "/context")
        if isinstance(context, Problem):
            return context
        return catalogue.IDENTIFY, _TRAITS_OF_CONTEXT, NOTHING if context is None else context.traits, None
    return catalogue.IDENTIFY, _TRAITS, call.traits, None


def _page(call: Call) -> _Said:
    return catalogue.PAGE, _PROPERTIES, call.properties, _title(call)


def _screen(call: Call) -> _Said:
    return catalogue.SCREEN, _PROPERTIES, call.properties, _title(call)


def _title(call: Call) -> Mapping[str, str]:
    return {key: said for key, said in (("name", call.name), ("category", call.category)) if said}


def _group(call: Call) -> _Said:
    if call.group_id is None or call.group_id == "":
        return _missing("/groupId", call.group_id)
    return catalogue.GROUP, _TRAITS, call.traits, {"group_id": str(call.group_id)}


def _alias(call: Call) -> _Said:
    for path, said in (("/previousId", call.previous_id), ("/userId", call.user_id)):
        if said is None or said == "":
            return _missing(path, said)
    return catalogue.ALIAS, _PROPERTIES, call.properties, {"previous_id": str(call.previous_id)}


_KINDS: Mapping[str, Callable[[Call], _Said]] = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _screen,
    "group": _group,
    "alias": _alias,
}


def _naive(call: Call) -> Problem | None:
    if call.original_timestamp is not None and call.original_timestamp.tzinfo is None:
        return no_offset("/originalTimestamp")
    if call.timestamp is not None and call.timestamp.tzinfo is None:
        return no_offset("/timestamp")
    if call.sent_at is not None and call.sent_at.tzinfo is None:
        return no_offset("/sentAt")
    return None


def _merged(own: msgspec.Raw, shared: Mapping[str, object]) -> msgspec.Raw | Problem:
    """Add the batch's context to an item's; where both say something, the item's counts."""
    if not shared:
        return own
    members = decode_object(own, Stage.ENVELOPE, "/context")
    if isinstance(members, Problem):
        return members
    text = encode_object({**shared, **members}, "/context")
    return text if isinstance(text, Problem) else msgspec.Raw(text)


def _missing(path: str, said: Text) -> Problem:
    found = "nothing" if said is None else "an empty string"
    return Problem(Stage.ENVELOPE, Reason.MISSING, path, "a non-empty string", found)
