"""What can be wrong with an event, as a value: where it was found, why, what was expected and what was there."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """How far an event came before it was refused."""

    PARSE = "parse"
    ENVELOPE = "envelope"
    IDENTITY = "identity"
    PAYLOAD = "payload"
    LIMITS = "limits"
    POLICY = "policy"


class Reason(StrEnum):
    """Why an event was refused; the codes are public and never change their meaning."""

    NO_VALUE = "no_value"
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    NOT_BASE64 = "not_base64"
    WRONG_TYPE = "wrong_type"
    MISSING = "missing"
    EMPTY = "empty"
    BAD_CHARACTER = "bad_character"
    BAD_ATTRIBUTE_NAME = "bad_attribute_name"
    UNKNOWN_TYPE = "unknown_type"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    DATA_TWICE = "data_twice"
    NOT_A_URI = "not_a_uri"
    NOT_A_TIME = "not_a_time"
    NO_OFFSET = "no_offset"
    NO_IDENTITY = "no_identity"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    NOT_A_CURRENCY = "not_a_currency"
    NOT_AN_EMAIL = "not_an_email"
    NOT_A_PHONE = "not_a_phone"
    UNKNOWN_VALUE = "unknown_value"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_DEEP = "too_deep"
    UNKNOWN_EVENT = "unknown_event"
    SOURCE_PAUSED = "source_paused"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an event.

    `path` is a JSON pointer (RFC 6901) into the event's bytes, or `/headers/<name>` for a Kafka header. `found` tells
    a type, a size or a shape and never a value, for a value may be personal. Not a Struct: each step of each event asks
    whether it got a problem, and `isinstance` takes the slow way around a Struct's metaclass.
    """

    stage: Stage
    reason: Reason
    path: str
    expected: str
    found: str

    def under(self, prefix: str) -> "Problem":
        """Return the same problem, seen from further outside."""
        if not prefix:
            return self
        return Problem(self.stage, self.reason, prefix + self.path, self.expected, self.found)


def type_of(value: Any) -> str:
    """Name the JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def escaped(token: str) -> str:
    """Write one step of a JSON pointer; what cannot be printed is replaced, for names come from outside."""
    printable = "".join(c if c.isprintable() else "\ufffd" for c in token[:100])
    return printable.replace("~", "~0").replace("/", "~1")
