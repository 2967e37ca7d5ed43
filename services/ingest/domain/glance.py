"""Which events are surely good, told at a glance: most of what is sent, at a fraction of what reading it costs.

Every doubt means no: who asks must then read the event. So each rule here is as strict as its original or stricter,
which a law holds against reading itself.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import InvalidOperation
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

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
from services.ingest.domain.shapes.segment import ALONE, BATCHES, CALLS, Batch, Call, too_much
from services.ingest.domain.sources import Source, Strictness
from services.ingest.domain.times import AHEAD, EPOCH
from shared.contracts import catalogue, vocabulary
from shared.contracts.catalogue import Family, family_of, is_known
from shared.contracts.customers import LONGEST_TRAIT_NAME
from shared.contracts.money import Money
from shared.contracts.vocabulary import LONGEST_ID

_SHORT = 13
_LARGE = 10**15
_AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,11})?", re.ASCII)
_USUAL_TRAITS = 50
_USUAL_TRAIT = 300
_FEW_MEMBERS = 4 * MOST_MEMBERS
_NUL = b"\\u0000"
_FAILURES = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, InvalidOperation, ValueError)

_NAMES = {"page": catalogue.PAGE, "screen": catalogue.SCREEN, "identify": catalogue.IDENTIFY}
_IDENTIFIERS = ("email", "phone", "crm_id", "crmId")

Fits = Callable[[Any], bool]


def _short(text: str) -> float:
    """Stand in for a number with a fraction, of which only sign and length matter."""
    if len(text) > _SHORT or "e" in text or "E" in text:
        raise ValueError("no usual number")
    return -0.5 if text[0] == "-" else 0.5


_objects: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any], float_hook=_short)


def surely_good(value: bytes, kind: str | None, source: Source, received: datetime) -> tuple[int, bytes]:
    """Count the events of a record that reading would surely accept, and return the others as a record to be read.

    `kind` is the type of a single call as its route tells it. The rest is empty when nothing is in doubt.
    """
    if source.paused or _NUL in value:
        return 0, value
    try:
        if not value.isascii():
            value.decode()
        call = CALLS.decode(value)
        if call.batch is ALONE:
            call.type = kind or call.type
            return (1, b"") if _is_good(call, value, None, source, received) else (0, value)
        batch = BATCHES.decode(value)
    except _FAILURES:
        return 0, value
    sent = batch.sent_at
    if batch.context is not NOTHING or (sent is not None and sent.tzinfo is None):
        return 0, value
    if too_much(batch, len(batch.batch)) is not None:
        return 0, value
    doubtful = [text for text in batch.batch if not _is_good_text(bytes(text), sent, source, received)]
    good = len(batch.batch) - len(doubtful)
    return good, _rest(batch, doubtful) if doubtful else b""


def _rest(batch: Batch, doubtful: list[msgspec.Raw]) -> bytes:
    around: dict[str, Any] = {"batch": doubtful, "integrations": batch.integrations}
    if batch.sent_at is not None:
        around["sentAt"] = batch.sent_at
    return msgspec.json.encode(around)


def _is_good_text(text: bytes, sent: datetime | None, source: Source, received: datetime) -> bool:
    try:
        return _is_good(CALLS.decode(text), text, sent, source, received)
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
        and (source.strictness is not Strictness.STRICT or is_known(name))
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
        return call.traits is not NOTHING and _are_plain_traits(_objects.decode(call.traits))
    body = {} if call.properties is NOTHING else _objects.decode(call.properties)
    if call.type != "track":
        body |= {key: said for key, said in (("name", call.name), ("category", call.category)) if said}
    family = family_of(name)
    glance = _BODIES.get(family)
    return glance.is_good(name, body) if glance is not None else family is Family.GENERIC


def _are_plain_traits(traits: Mapping[str, Any]) -> bool:
    if len(traits) > _USUAL_TRAITS:
        return False
    for name in _IDENTIFIERS:
        if not isinstance(traits.get(name, ""), str):
            return False
    for name, value in traits.items():
        if len(name) > LONGEST_TRAIT_NAME or not name.isprintable():
            return False
        is_usual = len(value) <= _USUAL_TRAIT if type(value) is str else type(value) is bool or _is_id(value)
        if not is_usual:
            return False
    return True


def _is_id(value: Any) -> bool:
    kind = type(value)
    return (kind is str and len(value) <= LONGEST_ID) or (kind is int and -_LARGE < value < _LARGE)


def _is_text(value: Any) -> bool:
    return _is_id(value) or type(value) is float


def _is_amount(value: Any) -> bool:
    kind = type(value)
    if kind is str:
        return _AMOUNT.fullmatch(value) is not None
    return kind is float or (kind is int and -_LARGE < value < _LARGE)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGE


_FITS: Mapping[Any, Fits] = {
    vocabulary.Id: _is_id,
    vocabulary.Text: _is_text,
    vocabulary.Count: _is_count,
    vocabulary.Number: _is_amount,
    vocabulary.Amount: _is_amount,
    Money: _is_amount,
}
"""By the type of a member, what it surely takes; what has no entry is in doubt whenever it is there."""


def _fits(reader: FormReader) -> dict[str, Fits | None]:
    return {spelt: _fit_of(reader.kinds[name]) for spelt, name in reader.spellings.items()}


def _fit_of(kind: Any) -> Fits | None:
    (plain,) = (one for one in get_args(kind) if one is not NoneType) if NoneType in get_args(kind) else (kind,)
    if get_origin(plain) is not tuple:
        return _FITS.get(plain)
    return _Lines(_fits(FormReader(Form(get_args(plain)[0]))))


class _Lines:
    """A list of objects whose members fit."""

    def __init__(self, fits: Mapping[str, Fits | None]) -> None:
        self._fits = fits

    def __call__(self, value: Any) -> bool:
        if type(value) is not list:
            return False
        for line in value:  # noqa: SIM110 - a generator costs more than what it would do here
            if type(line) is not dict or not _all_fit(self._fits, line):
                return False
        return True


def _all_fit(fits: Mapping[str, Fits | None], body: Mapping[str, Any]) -> bool:
    for spelt, value in body.items():
        if spelt in fits and value is not None:
            fit = fits[spelt]
            if fit is None or not fit(value):
                return False
    code = body.get("currency")
    return code is None or (isinstance(code, str) and isinstance(money.currency(code, ""), str))


class _Glance:
    """What a family's payload may surely be, made from its own form."""

    def __init__(self, reader: FormReader) -> None:
        self._reader = reader
        self._fits = _fits(reader)

    def is_good(self, name: str, body: Mapping[str, Any]) -> bool:
        """Tell whether an event of that name may surely say this."""
        required = self._reader.required(name)
        if required:
            there = {self._reader.spellings.get(spelt) for spelt, value in body.items() if value}
            if not there.issuperset(required):
                return False
        return _all_fit(self._fits, body)


_BODIES = {family: _Glance(reader) for family, reader in READERS.items() if not reader.has_check}
