"""Amounts of money from outside become exact decimal text."""

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.core import get_global

from services.ingest.domain.problems import Problem, Reason, Stage, type_of
from shared.contracts.money import plain

DEFAULT_CURRENCY = "USD"

_WHOLE_DIGITS = 18
_FRACTION_DIGITS = 12
_SHORT = 18
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?", re.ASCII)
CURRENCIES = frozenset(get_global("all_currencies")) - {"XTS", "XXX"}
"""ISO 4217 with the codes that history has, as CLDR lists them; not those for tests and for no currency at all."""


def amount(value: Any, path: str) -> str | Problem:
    """Write a JSON number, or a string that holds one, as exact decimal text.

    At most 18 digits before the point and 12 after it; no thousands separator, no currency sign.
    """
    if isinstance(value, Decimal):
        number = value
    elif type(value) is int or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        number = Decimal(value)
    else:
        return Problem(Stage.PAYLOAD, Reason.NOT_A_NUMBER, path, "a number", type_of(value))
    text = str(number)
    if len(text) <= _SHORT and "E" not in text:
        return text
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _WHOLE_DIGITS or not isinstance(exponent, int) or exponent < -_FRACTION_DIGITS:
        return Problem(
            Stage.PAYLOAD,
            Reason.OUT_OF_RANGE,
            path,
            f"at most {_WHOLE_DIGITS} digits before the point and {_FRACTION_DIGITS} after it",
            "more digits",
        )
    return plain(number)


@lru_cache(maxsize=1024)
def currency(code: str | None, path: str) -> str | Problem:
    """Read an ISO 4217 code, in any case; none is USD, as in Segment's specification."""
    if code is None:
        return DEFAULT_CURRENCY
    found = code.upper()
    if found not in CURRENCIES:
        return Problem(Stage.PAYLOAD, Reason.NOT_A_CURRENCY, path, "an ISO 4217 code", "other text")
    return found
