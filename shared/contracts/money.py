"""Money is a decimal amount in one currency, and currencies are never added up."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec


class Money(msgspec.Struct, frozen=True):
    """An amount as exact decimal text and its ISO 4217 code, for example `{"amount": "35.50", "currency": "EUR"}`.

    The amount is text because JSON numbers lose cents in most readers.
    """

    amount: str
    currency: str

    @property
    def value(self) -> Decimal:
        """Return the amount as an exact decimal."""
        return Decimal(self.amount)


def plain(amount: Decimal) -> str:
    """Write a decimal without an exponent, as it stands on the wire."""
    text = str(amount)
    return format(amount, "f") if "E" in text else text


def shown(amount: Decimal) -> str:
    """Write an amount for people: with at least two decimals, and never rounded."""
    whole, _, cents = plain(amount).partition(".")
    return f"{whole}.{cents:0<2}"


def totals(sums: Mapping[str, Decimal]) -> tuple[Money, ...]:
    """Render sums by currency, in the order of the currency codes."""
    return tuple(Money(plain(amount), currency) for currency, amount in sorted(sums.items()))


def sums(moneys: Iterable[Money]) -> dict[str, Decimal]:
    """Add up amounts by currency."""
    result: dict[str, Decimal] = {}
    for money in moneys:
        result[money.currency] = result.get(money.currency, Decimal(0)) + money.value
    return result
