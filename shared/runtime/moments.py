"""Instants in headers: read leniently, for measuring only."""

from datetime import UTC, datetime


def parse_time(text: str | None) -> datetime | None:
    """Read an ISO 8601 time as aware UTC; nothing if it is missing, wrong or has no offset."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        # In UTC, the first and the last day of the calendar may have no year.
        return None
