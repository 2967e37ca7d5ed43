"""Amounts of money from text, within bounds that keep every sum of them exact."""

import re
from decimal import Decimal
from functools import lru_cache

# Bounds keep every sum exact within MONEY's 60 digits, and keep out 1E+999999, which would be a gigabyte of zeros.
_AMOUNT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,12})?")


class UnreadableAmountError(ValueError):
    """A text is no amount; the message says what was expected, never the text."""

    def __init__(self) -> None:
        super().__init__("a decimal number of at most 20 digits and 12 decimals")


@lru_cache(maxsize=1 << 16)
def amount_of(text: str) -> Decimal:
    """Read an amount.

    Raises:
        UnreadableAmountError: it is no decimal number, or one out of bounds.
    """
    # Prices repeat: remembering them costs a tenth of reading them again.
    if _AMOUNT.fullmatch(text) is None:
        raise UnreadableAmountError
    return Decimal(text)
