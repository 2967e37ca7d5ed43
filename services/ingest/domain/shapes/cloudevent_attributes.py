"""The context attributes of CloudEvents 1.0, checked one by one against the specification (section 3)."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from services.ingest.domain.problems import Problem, Reason, Stage, escaped, type_of
from services.ingest.domain.times import parse

Value = str | int | bool

VERSION = "1.0"
_GREATEST = 2**31 - 1
_LEAST = -(2**31)
_LONGEST_SOURCE = 255

_NAME = re.compile(r"[a-z0-9]+", re.ASCII)
_URI_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.ASCII)
_JSON_TYPE = re.compile(r"(?:[\w*.+-]+/(?:[\w.+*-]+\+)?json)\s*(?:;.*)?", re.ASCII | re.IGNORECASE | re.DOTALL)

_REQUIRED = ("specversion", "id", "source", "type")
_ANONYMOUS = "anonymousid"  # our extension: as in Segment's shape, an empty one is none
_NAMED = (*_REQUIRED, "subject", "dataschema", "datacontenttype", "time", _ANONYMOUS)


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """The attributes of one valid event; `extensions` holds all that has no place of its own here."""

    id: str
    source: str
    type: str
    subject: str | None
    anonymous_id: str | None
    time: datetime | None
    extensions: Mapping[str, Value]


def check(said: Mapping[str, object], place: Callable[[str], str]) -> Attributes | Problem:
    """Check attributes that are there (no nulls); `place` names an attribute's path."""
    texts = _texts(said, place)
    if isinstance(texts, Problem):
        return texts
    time = parse(texts["time"], place("time")) if "time" in texts else None
    if isinstance(time, Problem):
        return time
    extensions = _extensions(said, place)
    if isinstance(extensions, Problem):
        return extensions
    return Attributes(
        id=texts["id"],
        source=texts["source"],
        type=texts["type"],
        subject=texts.get("subject"),
        anonymous_id=texts.get("anonymousid"),
        time=time,
        extensions=extensions,
    )


def _texts(said: Mapping[str, object], place: Callable[[str], str]) -> Mapping[str, str] | Problem:
    for name in said:
        if not _NAME.fullmatch(name):
            expected = "a name of lower-case letters and digits"
            path = place(escaped(name))
            return Problem(Stage.ENVELOPE, Reason.BAD_ATTRIBUTE_NAME, path, expected, "other characters")
    texts: dict[str, str] = {}
    for name in _NAMED:
        text = _text(said, name, place(name))
        if isinstance(text, Problem):
            return text
        if text is not None:
            texts[name] = text
    return _forms(texts, place) or texts


def _extensions(said: Mapping[str, object], place: Callable[[str], str]) -> Mapping[str, Value] | Problem:
    extensions: dict[str, Value] = {}
    for name, value in said.items():
        if name in _NAMED:
            continue
        if not isinstance(value, str | bool | int):
            return _wrong_type(place(name), "string, boolean or integer", value)
        if isinstance(value, int) and not _LEAST <= value <= _GREATEST:
            path = place(name)
            return Problem(Stage.ENVELOPE, Reason.OUT_OF_RANGE, path, "an integer of 32 bits", "a greater number")
        extensions[name] = value
    return extensions


def _text(said: Mapping[str, object], name: str, path: str) -> str | Problem | None:
    value = said.get(name)
    if value is None:
        if name in _REQUIRED:
            return Problem(Stage.ENVELOPE, Reason.MISSING, path, "a non-empty string", "nothing")
        return None
    if not isinstance(value, str):
        return _wrong_type(path, "string", value)
    if not value and name != _ANONYMOUS:
        return Problem(Stage.ENVELOPE, Reason.EMPTY, path, "a non-empty string", "an empty string")
    return value


def _forms(texts: Mapping[str, str], place: Callable[[str], str]) -> Problem | None:
    if texts["specversion"] != VERSION:
        return Problem(Stage.ENVELOPE, Reason.UNSUPPORTED_VERSION, place("specversion"), VERSION, "another version")
    if not _URI_CHARACTERS.fullmatch(texts["source"]):
        return Problem(Stage.ENVELOPE, Reason.NOT_A_URI, place("source"), "a URI reference", "other text")
    if len(texts["source"]) > _LONGEST_SOURCE:
        found = f"{len(texts['source'])} characters"
        return Problem(Stage.LIMITS, Reason.TOO_LONG, place("source"), f"at most {_LONGEST_SOURCE} characters", found)
    schema = texts.get("dataschema")
    if schema is not None and not (_ABSOLUTE_URI.fullmatch(schema) and _URI_CHARACTERS.fullmatch(schema)):
        return Problem(Stage.ENVELOPE, Reason.NOT_A_URI, place("dataschema"), "an absolute URI", "other text")
    if "datacontenttype" in texts and not _JSON_TYPE.fullmatch(texts["datacontenttype"]):
        path = place("datacontenttype")
        return Problem(Stage.ENVELOPE, Reason.UNSUPPORTED_CONTENT_TYPE, path, "JSON", "another media type")
    return None


def _wrong_type(path: str, expected: str, value: object) -> Problem:
    return Problem(Stage.ENVELOPE, Reason.WRONG_TYPE, path, expected, type_of(value))
