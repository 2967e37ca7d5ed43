"""An instant is a whole number of microseconds since 1970: cheap to pack, compare and add to."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FORM = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?")

NEVER = 1 << 62
"""Later than every instant that can be written."""


def instant(at: datetime) -> int:
    """Count an aware time's microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Return the aware time of an instant."""
    return _EPOCH + timedelta(microseconds=at)


def written(text: str) -> int | None:
    """Read an ISO 8601 date (midnight in UTC) or a time with its offset; nothing if it is neither."""
    if _FORM.fullmatch(text) is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return instant(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
