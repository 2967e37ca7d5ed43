"""A window is a length of time that a rule looks back over, written as `30 days`."""

import re

import msgspec

SECOND = 1_000_000
"""Microseconds, as all times of this service are counted."""
DAY = 86_400 * SECOND

LONGEST_DAYS = 400
"""No rule looks further back, so that what is kept of a customer is bounded: a year and a month."""

EXPECTED = "a whole number and a unit (seconds, minutes, hours, days or weeks), for example 30 days"

_UNITS = {"second": SECOND, "minute": 60 * SECOND, "hour": 3600 * SECOND, "day": DAY, "week": 7 * DAY}
_FORM = re.compile(r"([0-9]{1,9}) +(second|minute|hour|day|week)s?")


class WrongWindowError(ValueError):
    """The text is no window; the error's text says what was expected."""


class Window(msgspec.Struct, frozen=True):
    """How far a rule looks back: `text` as people write it, `length` in microseconds."""

    text: str
    length: int


def window(text: str) -> Window:
    """Read a window such as `30 days` or `1 hour`.

    Raises:
        WrongWindowError: it is written otherwise, is zero, or is longer than 400 days.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise WrongWindowError(EXPECTED)
    number, unit = int(form[1]), form[2]
    length = number * _UNITS[unit]
    if not 0 < length <= LONGEST_DAYS * DAY:
        raise WrongWindowError(f"between 1 second and {LONGEST_DAYS} days")
    return Window(f"{number} {unit}" if number == 1 else f"{number} {unit}s", length)
