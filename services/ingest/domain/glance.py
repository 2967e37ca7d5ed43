"""Which events are surely good, told at a glance: most of what is sent, at a fraction of what reading it costs.

Every doubt means no: who asks must then read the event. So each rule here is as strict as its original or stricter,
which a law holds against reading itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import InvalidOperation
from types import NoneType
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Meta

from services.ingest.domain import money
from services.ingest.domain.acceptance import LONGEST_MESSAGE_ID, LONGEST_NAME
from services.ingest.domain.catalogue_forms import READERS
from services.ingest.domain.circumstances import circumstances
from services.ingest.domain.draft import NOTHING
from services.ingest.domain.forms import Form, FormReader
from services.ingest.domain.identities import LONGEST, NOBODY
from services.ingest.domain.limits import DEEPEST, MOST_MEMBERS
from services.ingest.domain.problems import Problem
from services.ingest.domain.shapes.items import LARGEST_EVENT
from services.ingest.domain.shapes.segment import ALONE, BATCHES, Batch, Head, too_much
from services.ingest.domain.sources import Source, Strictness
from services.ingest.domain.times import AHEAD, EPOCH
from shared.contracts import catalogue, vocabulary
from shared.contracts.catalogue import FAMILY_OF, Family
from shared.contracts.customers import LONGEST_TRAIT_NAME
from shared.contracts.money import Money
from shared.contracts.vocabulary import LONGEST_ID

_SHORT = 13
_LARGE = 10**15
_AMOUNT = r"^-?[0-9]{1,15}(?:\.[0-9]{1,11})?\Z"
_USUAL_TRAITS = 50
_USUAL_TRAIT = 300
_FEW_MEMBERS = 4 * MOST_MEMBERS
_NUL = b"\\u0000"
_FAILURES = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, InvalidOperation, ValueError)

_NAMES = {"page": catalogue.PAGE, "screen": catalogue.SCREEN, "identify": catalogue.IDENTIFY}
_IDENTIFIERS = ("email", "phone", "crm_id", "crmId")
_BATCH = b'"batch"'

Objects = dict[str, Any]


class Call(Head, gc=False, rename="camel"):
    """A call as reading would have it, but for what it says: that is an object already, or nothing."""

    properties: Objects = msgspec.field(default_factory=dict)
    traits: Objects = msgspec.field(default_factory=dict)


class _Calls(msgspec.Struct, gc=False):
    batch: list[Call]


def _short(text: str) -> float:
    """Stand in for a number with a fraction, of which only sign and length matter."""
    if len(text) > _SHORT or "e" in text or "E" in text:
        raise ValueError("no usual number")
    return -0.5 if text[0] == "-" else 0.5


_call = msgspec.json.Decoder(Call, float_hook=_short).decode
_calls = msgspec.json.Decoder(_Calls, float_hook=_short).decode


def surely_good(value: bytes, kind: str | None, source: Source, received: datetime) -> tuple[int, bytes]:
    """Count the events of a record that reading would surely accept, and return the others as a record to be read.

    `kind` is the type of a single call as its route tells it. The rest is empty when nothing is in doubt.
    """
    if source.paused or _NUL in value:
        return 0, value
    try:
        if not value.isascii():
            value.decode()
        if _BATCH not in value:
            call = _call(value)
            call.type = kind or call.type
            alone = call.batch is ALONE and _is_good(call, value, None, source, received)
            return (1, b"") if alone else (0, value)
        batch = BATCHES.decode(value)
    except _FAILURES:
        return 0, value
    sent = batch.sent_at
    if batch.context is not NOTHING or (sent is not None and sent.tzinfo is None):
        return 0, value
    if too_much(batch, len(batch.batch)) is not None:
        return 0, value
    doubtful = _doubtful(value, batch.batch, sent, source, received)
    good = len(batch.batch) - len(doubtful)
    return good, _rest(batch, doubtful) if doubtful else b""


def _doubtful(
    value: bytes, texts: list[msgspec.Raw], sent: datetime | None, source: Source, received: datetime
) -> list[msgspec.Raw]:
    try:
        # All at once costs half of one by one; an event that is none is found by itself.
        calls = _calls(value).batch
    except _FAILURES:
        return [text for text in texts if not _is_good_text(bytes(text), sent, source, received)]
    return [
        text for call, text in zip(calls, texts, strict=True) if not _is_good(call, bytes(text), sent, source, received)
    ]


def _rest(batch: Batch, doubtful: list[msgspec.Raw]) -> bytes:
    around: dict[str, Any] = {"batch": doubtful, "integrations": batch.integrations}
    if batch.sent_at is not None:
        around["sentAt"] = batch.sent_at
    return msgspec.json.encode(around)


def _is_good_text(text: bytes, sent: datetime | None, source: Source, received: datetime) -> bool:
    try:
        return _is_good(_call(text), text, sent, source, received)
    except _FAILURES:
        return False


def _is_good(call: Call, text: bytes, sent: datetime | None, source: Source, received: datetime) -> bool:
    name = call.event if call.type == "track" else _NAMES.get(call.type or "")
    message_id = call.message_id
    if not name or not message_id:
        return False
    return (
        len(text) <= LARGEST_EVENT
        and text.count(b"{") + text.count(b"[") <= DEEPEST
        and (len(text) <= _FEW_MEMBERS or text.count(b":") <= MOST_MEMBERS)
        and len(name) <= LONGEST_NAME
        and name.isprintable()
        and len(message_id) <= LONGEST_MESSAGE_ID
        and message_id.isprintable()
        and (name in FAMILY_OF or source.strictness is not Strictness.STRICT)
        and _is_in_time(call, call.sent_at or sent, received)
        and _is_somebodys(call)
        and _has_good_body(call, name)
        and not isinstance(circumstances(call.context, "", source.zone), Problem)
    )


def _is_in_time(call: Call, sent: datetime | None, received: datetime) -> bool:
    said, original = call.timestamp, call.original_timestamp
    if (
        (said is not None and said.tzinfo is None)
        or (original is not None and original.tzinfo is None)
        or (sent is not None and sent.tzinfo is None)
    ):
        return False
    at = said or original or received
    if original is not None and sent is not None:
        try:
            at = received - (sent - original)
        except OverflowError:
            return False
    return EPOCH <= at <= received + AHEAD


def _is_somebodys(call: Call) -> bool:
    user, anonymous = call.user_id, call.anonymous_id
    if user is None:
        return _names_somebody(anonymous)
    return _names_somebody(user) and (anonymous is None or _names_somebody(anonymous))


def _names_somebody(value: str | int | None) -> bool:
    if type(value) is not str or len(value) > LONGEST:
        return False
    text = value.strip()
    return text.isprintable() and text.lower() not in NOBODY and text.strip("0-") != ""


def _has_good_body(call: Call, name: str) -> bool:
    if call.type == "identify":
        return bool(call.traits) and _are_plain_traits(call.traits)
    body = call.properties
    if call.type != "track":
        body = body | {key: said for key, said in (("name", call.name), ("category", call.category)) if said}
    glance = _BODIES.get(name)
    return glance.is_good(name, body) if glance is not None else FAMILY_OF.get(name, Family.GENERIC) is Family.GENERIC


def _are_plain_traits(traits: Mapping[str, Any]) -> bool:
    if len(traits) > _USUAL_TRAITS:
        return False
    for name in _IDENTIFIERS:
        if not isinstance(traits.get(name, ""), str):
            return False
    for name, value in traits.items():
        if len(name) > LONGEST_TRAIT_NAME or not name.isprintable():
            return False
        kind = type(value)
        if kind is str:
            if len(value) > _USUAL_TRAIT:
                return False
        elif kind is not bool and not (kind is int and -_LARGE < value < _LARGE):
            return False
    return True


_Whole: TypeAlias = Annotated[int, Meta(gt=-_LARGE, lt=_LARGE)]
_Id: TypeAlias = Annotated[str, Meta(max_length=LONGEST_ID)] | _Whole | None
_Amount: TypeAlias = Annotated[str, Meta(pattern=_AMOUNT)] | _Whole | float | None

_USUAL: Mapping[Any, Any] = {
    vocabulary.Id: _Id,
    vocabulary.Text: _Id | float,
    vocabulary.Count: Annotated[int, Meta(ge=0, lt=_LARGE)] | None,
    vocabulary.Number: _Amount,
    vocabulary.Amount: _Amount,
    Money: _Amount,
}
"""By the type of a member, what it surely takes; what has no entry is in doubt whenever it is there."""

_Currency = Literal[tuple(sorted(money.CURRENCIES | {code.lower() for code in money.CURRENCIES}))]  # type: ignore[valid-type]  # made


def _usual(reader: FormReader, name: str) -> type[msgspec.Struct]:
    """Make the type of what a payload surely may be: each spelling of a member is one of its own."""
    kinds = {spelt: _usual_kind(reader.kinds[name]) for spelt, name in reader.spellings.items()}
    kinds["currency"] = _Currency | None
    fields = [
        (f"f{number}", kind, msgspec.field(default=None, name=spelt))
        for number, (spelt, kind) in enumerate(kinds.items())
    ]
    return msgspec.defstruct(name, fields, gc=False)


def _usual_kind(kind: Any) -> Any:
    (plain,) = (one for one in get_args(kind) if one is not NoneType) if NoneType in get_args(kind) else (kind,)
    if get_origin(plain) is not tuple:
        return _USUAL.get(plain, None)
    line = get_args(plain)[0]
    return list[_usual(FormReader(Form(line)), line.__name__)] | None  # type: ignore[misc]  # made


class _Glance:
    """What a family's payload may surely be, made from its own form."""

    def __init__(self, reader: FormReader, family: Family, names: Iterable[str]) -> None:
        self._usual = _usual(reader, family.name)
        self._required = {name: _required(reader, name) for name in names}

    def is_good(self, name: str, body: Objects) -> bool:
        """Tell whether an event of that name may surely say this."""
        for spellings in self._required[name]:
            if not any(map(body.get, spellings)):
                return False
        try:
            msgspec.convert(body, self._usual)
        except msgspec.ValidationError:
            return False
        return True


def _required(reader: FormReader, event: str) -> list[list[str]]:
    return [[spelt for spelt, name in reader.spellings.items() if name == member] for member in reader.required(event)]


def _glances() -> Iterator[tuple[str, _Glance]]:
    for family, reader in READERS.items():
        if not reader.has_check:
            names = [name for name, of in FAMILY_OF.items() if of is family]
            glance = _Glance(reader, family, names)
            yield from ((name, glance) for name in names)


_BODIES = dict(_glances())
"""By the name of an event; one whose members are held against each other is always in doubt."""
