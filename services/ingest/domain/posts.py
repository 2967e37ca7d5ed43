"""What was posted becomes what is written: every event has an id, no key's secret stays, and what is big is split."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

import msgspec

from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.shapes.items import LARGEST_EVENT
from services.ingest.domain.shapes.splitting import members

LARGEST_RECORD = 512 * 1024
"""Bytes of a record at most, but for one event that is larger alone."""

MOST_IN_RECORD = 1_000
"""Events of a record at most: reading one must not hold others up for long."""

MOST_EVENTS = 20_000
"""Events of a request at most; more stay together, and are refused together."""

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:rapport:posted-event")
_SECRET = re.compile(rb"(rk_[a-z2-7]{8}_)[A-Za-z0-9_-]{43}")
_BOM = b"\xef\xbb\xbf"
_FAILURES = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_NO_VALUE = (b"null", b'""')

Members = dict[str, msgspec.Raw]


class Piece(msgspec.Struct, frozen=True, gc=False):
    """The value of one record and how many events it holds; one that stands `alone` is no batch."""

    value: bytes
    events: int
    alone: bool


class _Call(msgspec.Struct, gc=False):
    id: str | None = msgspec.field(default=None, name="messageId")


class _Batch(msgspec.Struct, gc=False):
    items: list[_Call] = msgspec.field(name="batch")


class _Pairs(msgspec.Struct, gc=False):
    id: str | None = msgspec.field(default=None, name="eid")


class _Document(msgspec.Struct, gc=False):
    items: list[_Pairs] = msgspec.field(name="data")


@dataclass(frozen=True, slots=True)
class Form:
    """How a vendor's requests are made: the member that holds the events, the one that names an event, and its times.

    `changing` are members that a second attempt writes anew, so that no id may depend on them.
    """

    items: str
    id: str
    times: tuple[str, ...]
    changing: tuple[str, ...]
    named: msgspec.json.Decoder[_Batch] | msgspec.json.Decoder[_Document]

    @property
    def member(self) -> bytes:
        """Return the name of what holds the events as it stands in JSON."""
        return b'"%s"' % self.items.encode()


SEGMENT = Form(
    "batch",
    "messageId",
    ("timestamp", "originalTimestamp"),
    ("sentAt", "writeKey"),
    msgspec.json.Decoder(_Batch),
)
SNOWPLOW = Form("data", "eid", ("dtm", "ttm"), ("stm",), msgspec.json.Decoder(_Document))

_members: msgspec.json.Decoder[Members] = msgspec.json.Decoder(Members)
_array: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_sorted = msgspec.json.Encoder(order="deterministic")
_encode = msgspec.json.Encoder().encode


def pieces(body: bytes, form: Form, source: str, new_id: Callable[[], str]) -> Sequence[Piece] | Problem:
    """Divide a body into the values of records, in order; none for an empty batch, a problem for what is no JSON.

    An event without an id gets one: the same each time if it says when it happened, else `new_id()`. All other bytes
    stay as they were sent. An event that is no JSON, beside others that are, is kept as it is.
    """
    body = _without_secrets(body.removeprefix(_BOM))
    try:
        batch = form.named.decode(body)
    except _FAILURES:
        return _carefully(body, form, source, new_id)
    events = len(batch.items)
    if events > MOST_EVENTS:
        return (Piece(body, events, alone=False),)
    is_small = len(body) <= LARGEST_RECORD and 0 < events <= MOST_IN_RECORD
    if is_small and all(item.id for item in batch.items) and body.count(form.member) == 1:
        return (Piece(body, events, alone=False),)
    return _carefully(body, form, source, new_id)


def _without_secrets(body: bytes) -> bytes:
    """Take out what would let any reader of the topic write in the sender's name; the key's id stays."""
    return _SECRET.sub(rb"\1", body) if b"rk_" in body else body


def _carefully(body: bytes, form: Form, source: str, new_id: Callable[[], str]) -> Sequence[Piece] | Problem:
    top, texts = _opened(body, form)
    if texts is None:
        if top is None and not _is_nearly_json(body):
            return Problem(Stage.PARSE, Reason.NOT_JSON, "", "JSON", f"{len(body)} bytes of something else")
        return (Piece(_named(body, form, source, new_id), 1, alone=True),)
    if len(texts) > MOST_EVENTS:
        return (Piece(body, len(texts), alone=False),)
    around = _around(top or {})
    if around is None:
        return (Piece(body, len(texts), alone=False),)
    head = around[:-1] + (b"," if len(around) > len(b"{}") else b"") + _encode(form.items) + b":["
    named = [_named(text, form, source, new_id) for text in texts]
    return [Piece(head + b",".join(run) + b"]}", len(run), alone=False) for run in _runs(named, len(head))]


def _opened(body: bytes, form: Form) -> tuple[Members | None, list[bytes] | None]:
    """Find the members of the body without its events, and the events' own bytes; nothing where there is none."""
    try:
        top = _members.decode(body)
    except msgspec.ValidationError:
        return {}, None
    except _FAILURES:
        return _salvaged(body, form)
    held = top.pop(form.items, None)
    try:
        texts = None if held is None else [bytes(text) for text in _array.decode(held)]
    except msgspec.MsgspecError:
        return top, None
    return top, _with_hidden(texts, body, form) if texts is not None and body.count(form.member) > 1 else texts


def _with_hidden(texts: list[bytes], body: bytes, form: Form) -> list[bytes]:
    """Add the events of a member that comes twice: JSON's readers see the last one only."""
    first, rest = members(body, form.items.encode())
    if not first:
        return texts
    # Without the events of the first there is nothing left, or what stands in a second.
    seen = _array.decode(_members.decode(rest)[form.items])
    return [*first, *texts] if seen else texts


def _salvaged(body: bytes, form: Form) -> tuple[Members | None, list[bytes] | None]:
    """Do the same with a body that is no JSON, if only some events are not."""
    texts, rest = members(body, form.items.encode())
    if not texts:
        return None, None
    try:
        top = _members.decode(rest)
    except _FAILURES:
        return None, None
    top.pop(form.items, None)
    return top, texts


def _around(top: Members) -> bytes | None:
    """Write what is said about all events; nothing if a copy of it in each record would be too much."""
    around = _encode(top)
    if len(around) <= LARGEST_EVENT:
        return around
    around = _encode({name: text for name, text in top.items() if name in ("context", "integrations", "sentAt")})
    return around if len(around) <= LARGEST_EVENT else None


def _runs(texts: Sequence[bytes], around: int) -> Sequence[Sequence[bytes]]:
    runs: list[list[bytes]] = []
    size = LARGEST_RECORD
    for text in texts:
        size += len(text) + 1
        if size > LARGEST_RECORD or len(runs[-1]) == MOST_IN_RECORD:
            runs.append([])
            size = around + len(text)
        runs[-1].append(text)
    return runs


def _named(text: bytes, form: Form, source: str, new_id: Callable[[], str]) -> bytes:
    """Give an event an id if it has none; what is no JSON object stays as it is."""
    try:
        event = _members.decode(text)
    except _FAILURES:
        return text
    if _says(event, form.id) or form.items in event:
        return text
    own = _lasting_id(event, form, source) if any(_says(event, name) for name in form.times) else new_id()
    if form.id in event:
        return _encode({**event, form.id: own})
    member = _encode({form.id: own})[1:]
    return text.rstrip()[:-1] + (b"," if event else b"") + member


def _says(event: Mapping[str, msgspec.Raw], name: str) -> bool:
    said = event.get(name)
    return said is not None and bytes(said) not in _NO_VALUE


def _lasting_id(event: Members, form: Form, source: str) -> str:
    lasting = {name: text for name, text in event.items() if name not in form.changing and name != form.id}
    return str(uuid5(_NAMESPACE, f"{source}\0" + _sorted.encode(lasting).decode("latin-1")))


def _is_nearly_json(body: bytes) -> bool:
    """Tell whether this is JSON but for a NaN, a lone surrogate, bytes that are no UTF-8, or its depth."""
    try:
        json.loads(body.decode("utf-8", "replace"), strict=False, parse_int=str, parse_float=str)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True
