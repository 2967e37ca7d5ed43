"""Money on the wire: plain digits, one currency each."""

from decimal import Decimal

import pytest

from shared.contracts.money import Money, plain, shown, sums, totals


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1E+3", "1000"),
        ("1.50E+2", "150"),
        ("0E-8", "0.00000000"),
        ("1E-7", "0.0000001"),
        ("-2.5E-9", "-0.0000000025"),
        ("35.50", "35.50"),
        ("-0.00", "-0.00"),
    ],
)
def test_an_amount_is_written_without_an_exponent(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("139.5", "139.50"),
        ("280.0", "280.00"),
        ("7", "7.00"),
        ("1E+3", "1000.00"),
        ("-0.5", "-0.50"),
        ("35.50", "35.50"),
        ("12.3456", "12.3456"),
        ("1E-7", "0.0000001"),
    ],
)
def test_people_see_at_least_two_decimals_and_nothing_rounded(amount: str, text: str) -> None:
    assert shown(Decimal(amount)) == text


def test_currencies_are_never_added_up() -> None:
    found = sums([Money("35.50", "EUR"), Money("59.50", "EUR"), Money("0.1", "USD"), Money("0.2", "USD")])
    assert found == {"EUR": Decimal("95.00"), "USD": Decimal("0.3")}


def test_totals_come_in_the_order_of_the_currencies() -> None:
    assert totals({"USD": Decimal("1E+2"), "EUR": Decimal("95.00")}) == (Money("95.00", "EUR"), Money("100", "USD"))
