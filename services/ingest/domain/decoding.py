"""JSON from outside becomes typed values or a problem with its path; nothing is raised and no float ever exists."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

from services.ingest.domain.limits import beyond, too_deep
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.shapes.items import LARGEST_EVENT
from services.ingest.domain.walking import told, walk

T = TypeVar("T")

_LEAST_EXPONENT, _GREATEST_EXPONENT = -324, 308
_RANGE_TEXT = "Number out of range"

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "RFC 3339 date-time"}
_WRONG_TYPE = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<found>[^`]+)`(?: - at `(?P<path>[^`]+)`)?")
_AT = re.compile(r"(?P<what>.+?)(?: - at `(?P<path>[^`]+)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|(\[\.\.\.\])")


def exact(text: str) -> Decimal:
    """Read a JSON number with a fraction or exponent as an exact decimal, if a double could hold its magnitude."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(_RANGE_TEXT) from None
    if _LEAST_EXPONENT <= number.adjusted() <= _GREATEST_EXPONENT:
        return number
    raise ValueError(_RANGE_TEXT)


def decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Make a decoder that keeps decimals exact."""
    return msgspec.json.Decoder(kind, float_hook=exact)


_object: msgspec.json.Decoder[dict[str, Any] | None] = decoder(dict[str, Any] | None)
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_escaped_nul = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def decode(kind: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, stage: Stage, path: str = "") -> T | Problem:
    """Decode and check JSON; `path` is where `data` stands in the event."""
    try:
        return kind.decode(data)
    except msgspec.ValidationError as error:
        return _explained(str(error), stage, path)
    except msgspec.DecodeError:
        return _not_json(bytes(data), path)
    except UnicodeDecodeError:
        return Problem(Stage.PARSE, Reason.NOT_UTF8, path, "UTF-8", "other bytes")
    except RecursionError:
        return too_deep(path)
    except InvalidOperation:
        return _out_of_range(stage, path)


def decode_object(data: bytes | msgspec.Raw, stage: Stage, path: str) -> dict[str, Any] | Problem:
    """Decode a JSON object of any shape, within the limits of depth and of numbers; null is the empty object."""
    value = decode(_object, data, stage, path)
    if value is None:
        return {}
    if isinstance(value, Problem):
        return value
    return beyond(value, bytes(data), path) or value


def encode_object(value: Any, path: str) -> bytes | Problem:
    """Write canonical JSON: sorted keys, exact numbers; a NUL is refused, for PostgreSQL cannot store one."""
    text = _canonical.encode(value)
    if b"\\u0000" in text and _escaped_nul.search(text):
        return Problem(Stage.PAYLOAD, Reason.BAD_CHARACTER, path, "text without NUL", "a NUL character")
    return text


def _explained(text: str, stage: Stage, path: str) -> Problem:
    wrong = _WRONG_TYPE.match(text)
    if wrong:
        place = path + _pointer(wrong["path"])
        return Problem(stage, Reason.WRONG_TYPE, place, _named(wrong["expected"]), _named(wrong["found"]))
    other = _AT.match(text)
    place = path + _pointer(other["path"] if other else None)
    if "RFC3339" in text:
        return Problem(stage, Reason.NOT_A_TIME, place, "RFC 3339 date-time", "string")
    return _out_of_range(stage, place)


def _out_of_range(stage: Stage, path: str) -> Problem:
    return Problem(stage, Reason.OUT_OF_RANGE, path, "a number that a double can hold", "a greater number")


def _named(types: str) -> str:
    return " or ".join(_TYPES.get(name, name) for name in types.split(" | "))


def _pointer(path: str | None) -> str:
    steps = _STEP.findall(path or "")
    return "".join("/" + (name or index or "*") for name, index, _ in steps)


def _not_json(data: bytes, path: str) -> Problem:
    """Find out why: often only a NaN, as some encoders write it, and then its place is known."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Problem(Stage.PARSE, Reason.NOT_UTF8, path, "UTF-8", "other bytes")
    if len(data) > LARGEST_EVENT:
        # Nobody mends it by a path, and to walk through it would cost a hundred times its size.
        return _something_else(data, path)
    try:
        value = json.loads(text, parse_constant=_NotANumber, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return _something_else(data, path)
    for item, trail in walk(value):
        if isinstance(item, _NotANumber):
            place = told(path, trail)
            return Problem(Stage.PAYLOAD, Reason.NOT_A_NUMBER, place, "a JSON number", "NaN or Infinity")
    return Problem(Stage.PARSE, Reason.NOT_JSON, path, "JSON without lone surrogates", "a lone surrogate")


def _something_else(data: bytes, path: str) -> Problem:
    return Problem(Stage.PARSE, Reason.NOT_JSON, path, "JSON", f"{len(data)} bytes of something else")


class _NotANumber(str):
    """A constant that JSON does not have: NaN, Infinity, -Infinity."""

    __slots__ = ()
