"""Which month's partition a dedupe key lies in: the key's first 48 bits are milliseconds since 1970."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_END = datetime(9999, 12, 1, tzinfo=UTC)

LAST_KEY = ((_END - _EPOCH) // _MILLISECOND - 1).to_bytes(6) + b"\xff" * 10
"""The greatest key that has a month: the calendar ends with the year 9999, so its last month has no successor."""


def month_of(key: bytes) -> date:
    """Return the first day of a key's month in UTC; the key must not be after `LAST_KEY`."""
    return (_EPOCH + int.from_bytes(key[:6]) * _MILLISECOND).date().replace(day=1)


def first_key_after(month: date) -> bytes:
    """Return the least key of the following month."""
    start = datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)
    return ((start - _EPOCH) // _MILLISECOND).to_bytes(6) + bytes(10)


def split_by_month(keys: Iterable[bytes]) -> dict[date, list[bytes]]:
    """Sort keys, none after `LAST_KEY`, and cut them at the borders of months, which are known by their first days."""
    ordered = sorted(keys)
    split: dict[date, list[bytes]] = {}
    start = 0
    while start < len(ordered):
        month = month_of(ordered[start])
        end = bisect_left(ordered, first_key_after(month), start)
        split[month] = ordered[start:end]
        start = end
    return split
