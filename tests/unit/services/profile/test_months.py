"""Months of keys, with their borders."""

from datetime import UTC, date, datetime

import pytest

from services.profile.domain.months import LAST_KEY, first_key_after, month_of, split_by_month


def key(at: datetime, rest: bytes = bytes(10)) -> bytes:
    return int(at.timestamp() * 1000).to_bytes(6, "big") + rest


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)),
        (datetime(2024, 2, 29, 23, 59, 59, 999000, tzinfo=UTC), date(2024, 2, 1)),
        (datetime(2024, 3, 1, tzinfo=UTC), date(2024, 3, 1)),
        (datetime(2099, 12, 31, tzinfo=UTC), date(2099, 12, 1)),
    ],
)
def test_a_key_lies_in_the_month_of_its_milliseconds(at: datetime, month: date) -> None:
    assert month_of(key(at)) == month
    assert month_of(key(at, b"\xff" * 10)) == month


def test_the_last_key_of_a_month_is_just_before_the_first_of_the_next() -> None:
    border = first_key_after(date(2026, 12, 1))
    assert month_of(border) == date(2027, 1, 1)
    before = (int.from_bytes(border) - 1).to_bytes(16, "big")
    assert month_of(before) == date(2026, 12, 1)


def test_keys_are_cut_at_the_borders_and_sorted() -> None:
    january, february = key(datetime(2026, 1, 31, tzinfo=UTC)), key(datetime(2026, 2, 1, tzinfo=UTC))
    april = key(datetime(2026, 4, 9, tzinfo=UTC))
    later = february[:15] + b"\x01"
    assert split_by_month([april, later, january, february]) == {
        date(2026, 1, 1): [january],
        date(2026, 2, 1): [february, later],
        date(2026, 4, 1): [april],
    }
    assert split_by_month([]) == {}


def test_the_greatest_key_still_has_a_month_and_a_next_one() -> None:
    assert split_by_month([LAST_KEY]) == {date(9999, 11, 1): [LAST_KEY]}
