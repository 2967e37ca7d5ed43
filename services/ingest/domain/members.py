"""One member of a payload from outside: read as its kind, or told what is wrong with it."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from services.ingest.domain import money
from services.ingest.domain.problems import Problem, Reason, Stage, type_of
from services.ingest.domain.times import parse
from shared.contracts import vocabulary
from shared.contracts.money import plain
from shared.contracts.vocabulary import LONGEST_ID, LONGEST_TEXT

Read: TypeAlias = Callable[[Any, str], Any]
"""Reads a value that is not null, at a path: what it says, nothing if it is as good as absent, or a problem."""

_LARGEST_COUNT = 2**53
_DATE = len("2026-11-22")
_TEXT_OF_NUMBER = 40


def identifier(value: Any, path: str) -> str | Problem | None:
    """Read an id: text, or a whole number as its digits; an empty one is none."""
    if type(value) not in (str, int):
        return _wrong_type(path, "string or integer", value)
    text = str(value)
    return _too_long(path, text, LONGEST_ID) if len(text) > LONGEST_ID else text or None


def text(value: Any, path: str) -> str | Problem | None:
    """Read text, or a number as it was written; an empty one is none."""
    if isinstance(value, str):
        return _too_long(path, value, LONGEST_TEXT) if len(value) > LONGEST_TEXT else value or None
    if type(value) is int or isinstance(value, Decimal):
        written = plain(Decimal(value))
        return (
            written if len(written) <= _TEXT_OF_NUMBER else _out_of_range(path, "a number of few digits", "more digits")
        )
    return _wrong_type(path, "string or number", value)


def scope(value: Any, path: str) -> str | Problem | None:
    """Read a name that will stand in a key beside others, so that it can hold no slash."""
    if not isinstance(value, str):
        return _wrong_type(path, "string", value)
    if len(value) > LONGEST_ID or "/" in value:
        expected = f"at most {LONGEST_ID} characters without a slash"
        return Problem(Stage.PAYLOAD, Reason.BAD_CHARACTER, path, expected, "other text")
    return value or None


def moment(value: Any, path: str) -> str | Problem | None:
    """Read a date or a date-time with offset, kept as it was sent."""
    if not isinstance(value, str):
        return _wrong_type(path, "string", value)
    if not value:
        return None
    if len(value) == _DATE:
        try:
            date.fromisoformat(value)
        except ValueError:
            return Problem(Stage.PAYLOAD, Reason.NOT_A_TIME, path, "RFC 3339 date or date-time", "string")
        return value
    found = parse(value, path)
    return (
        Problem(Stage.PAYLOAD, found.reason, path, found.expected, found.found) if isinstance(found, Problem) else value
    )


def count(value: Any, path: str) -> int | Problem:
    """Read a whole number from 0 on; one that is written with a fraction of nought or as text is one too."""
    number = _number(value, path)
    if isinstance(number, Problem):
        return number
    if number != number.to_integral_value():
        return Problem(Stage.PAYLOAD, Reason.NOT_A_NUMBER, path, "a whole number", "a number with a fraction")
    if not 0 <= number <= _LARGEST_COUNT:
        return _out_of_range(path, "from 0 to 2^53", "a lower number" if number < 0 else "a greater number")
    return int(number)


def number(value: Any, path: str) -> Decimal | Problem:
    """Read an exact number."""
    return _number(value, path)


def seconds(value: Any, path: str) -> Decimal | Problem:
    """Read a length of time."""
    found = _number(value, path)
    if isinstance(found, Decimal) and found < 0:
        return _out_of_range(path, "0 seconds or more", "a negative number")
    return found


def flag(value: Any, path: str) -> bool | Problem:
    """Read true or false."""
    return value if isinstance(value, bool) else _wrong_type(path, "boolean", value)


def one_of(kinds: type[StrEnum]) -> Read:
    """Make a reader of one word among some, in any case."""
    words: Mapping[str, StrEnum] = {kind.value: kind for kind in kinds}
    expected = ", ".join(words)

    def read(value: Any, path: str) -> StrEnum | Problem | None:
        if not isinstance(value, str):
            return _wrong_type(path, "string", value)
        found = words.get(value.strip().lower())
        if found is None and value:
            return Problem(Stage.PAYLOAD, Reason.UNKNOWN_VALUE, path, expected, "another word")
        return found

    return read


READERS: Mapping[Any, Read] = {
    vocabulary.Id: identifier,
    vocabulary.Text: text,
    vocabulary.Scope: scope,
    vocabulary.Moment: moment,
    vocabulary.Amount: money.amount,
    vocabulary.Count: count,
    vocabulary.Number: number,
    vocabulary.Seconds: seconds,
    bool: flag,
}
"""The reader of each kind of value that a payload is declared with; enumerations, money and lines are made for each."""


def _number(value: Any, path: str) -> Decimal | Problem:
    found = money.amount(value, path)
    return found if isinstance(found, Problem) else Decimal(found)


def _wrong_type(path: str, expected: str, value: Any) -> Problem:
    return Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, path, expected, type_of(value))


def _too_long(path: str, value: str, longest: int) -> Problem:
    return Problem(Stage.LIMITS, Reason.TOO_LONG, path, f"at most {longest} characters", f"{len(value)} characters")


def _out_of_range(path: str, expected: str, found: str) -> Problem:
    return Problem(Stage.PAYLOAD, Reason.OUT_OF_RANGE, path, expected, found)
