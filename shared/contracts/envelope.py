"""CloudEvents 1.0 in Kafka's binary mode: the attributes travel as `ce_` headers, the value is the data alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeGuard

Headers = list[tuple[str, bytes]]

SPEC_VERSION = b"1.0"

_INT4_DIGITS, _INT8_DIGITS = 9, 18


@dataclass(frozen=True, slots=True)
class Order:
    """Where a message stands among its topic's: (incarnation, number), greater is later.

    The number is the sequence on a sequenced log and the version on a state topic.
    """

    incarnation: int
    number: int


def headers(*, id: str, source: str, type: str, time: datetime, subject: str) -> Headers:  # noqa: A002 - CloudEvents' own names
    """Build the headers of a message; incarnation, sequence or version are added when it is published.

    `subject` and `id` must be random or hashed: headers never carry PII.
    """
    return [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type.encode()),
        ("ce_time", time.isoformat().encode()),
        ("ce_subject", subject.encode()),
    ]


def header(headers: Iterable[tuple[str, bytes]], name: str) -> str | None:
    """Return the last header of that name as text, or nothing."""
    found = None
    for key, value in headers:
        if key == name:
            found = value
    return None if found is None else found.decode("utf-8", "replace")


def sequence_of(headers: Iterable[tuple[str, bytes]]) -> Order | None:
    """Read (incarnation, sequence) of a message on a sequenced log; nothing if one is missing or no such number."""
    return _order(headers, "ce_sequence")


def version_of(headers: Iterable[tuple[str, bytes]]) -> Order | None:
    """Read (incarnation, version) of a message on a state topic; nothing if one is missing or no such number."""
    return _order(headers, "ce_version")


def _order(headers: Iterable[tuple[str, bytes]], attribute: str) -> Order | None:
    incarnation = number = None
    for key, value in headers:
        if key == attribute:
            number = value
        elif key == "ce_incarnation":
            incarnation = value
    if not _fits(incarnation, _INT4_DIGITS) or not _fits(number, _INT8_DIGITS):
        return None
    return Order(int(incarnation), int(number))


def _fits(text: bytes | None, digits: int) -> TypeGuard[bytes]:
    # Whatever is let through here is kept in a column of that size.
    return text is not None and text.isdigit() and len(text) <= digits
