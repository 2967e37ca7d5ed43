"""JSON that comes back as it was: every number keeps its own text, also one that JSON or a double does not have."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number as it was written; equal to another of the same value (RFC 6902, section 4.6)."""

    text: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Number):
            return NotImplemented
        return self.text == other.text or _value(self.text) == _value(other.text)

    def __hash__(self) -> int:
        return hash(_value(self.text))

    def __deepcopy__(self, _memo: object) -> "Number":
        return self


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no JSON, not even with a NaN or a lone surrogate forgiven."""


UNREADABLE = Unreadable()


def decode_exact(data: bytes) -> Any:
    """Decode JSON, or return `UNREADABLE`; of names that come twice in an object the last one counts."""
    try:
        return json.loads(data.decode(), parse_float=Number, parse_int=Number, parse_constant=Number)
    except (ValueError, RecursionError):
        return UNREADABLE


def encode_exact(value: Any) -> bytes:
    """Write what `decode_exact` read, without white space.

    Raises:
        RecursionError: it is nested hundreds of levels deep.
    """
    return _SURROGATE.sub(_escape, _written(value)).encode()


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{_written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(inner) for inner in value) + "]"
    if isinstance(value, Number):
        return value.text
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escape(surrogate: re.Match[str]) -> str:
    return f"\\u{ord(surrogate[0]):04x}"


def _value(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() else text
