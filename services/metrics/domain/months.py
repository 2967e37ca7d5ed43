"""Days and months in UTC, as days since 1970-01-01."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache

_EPOCH = date(1970, 1, 1).toordinal()
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_LAST_MONTH = 12


def day_of(at: datetime) -> int:
    """Return the day of an aware time in UTC."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.toordinal() - _EPOCH


@lru_cache(maxsize=4096)
def first_of_month(day: int) -> int:
    """Return the first day of that day's month."""
    return day - date.fromordinal(day + _EPOCH).day + 1


def parse_month(text: str) -> date | None:
    """Read `2026-01` as the month's first day; nothing if it is no month."""
    match = _MONTH.fullmatch(text)
    if match is None:
        return None
    year, month = int(match[1]), int(match[2])
    return date(year, month, 1) if year and 1 <= month <= _LAST_MONTH else None


def month_text(day: date) -> str:
    """Write a day's month as `2026-01`."""
    return f"{day.year:04d}-{day.month:02d}"
