"""When an event happened: the sender's clock corrected by ours, and never taken further than it can be believed."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from services.ingest.domain.draft import Draft
from services.ingest.domain.problems import Problem, Reason, Stage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""How far after its arrival an event may claim to have happened."""

FAR_AHEAD = timedelta(days=1)
"""How far after its arrival an event may claim to have happened, and be drawn back instead of refused."""

_MAGNITUDES = ((36_525, "centuries"), (365, "years"), (30, "months"), (1, "days"))
_LATEST_ARRIVAL_MS = 4_102_444_799_000  # the end of 2099
_LONGEST_TIME = 64
_TICK = timedelta(microseconds=1)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?", re.ASCII)


@lru_cache(maxsize=4096)
def instant(milliseconds: int) -> datetime:
    """Return the instant of a record's timestamp; a time that no broker can have is drawn to the nearest possible."""
    return EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), _LATEST_ARRIVAL_MS))


def arrival(header: bytes | None, appended_ms: int) -> datetime:
    """Tell when an event was received: as the gateway noted it, else when the broker appended it.

    A note that cannot be read, or that is later than the log itself by more than five minutes, is not believed.
    """
    if header is None or len(header) > _LONGEST_TIME:
        return instant(appended_ms)
    return _noted(header, appended_ms)


@lru_cache(maxsize=4096)
def _noted(header: bytes, appended_ms: int) -> datetime:
    appended = instant(appended_ms)
    try:
        noted = msgspec.convert(header.decode(), datetime)
    except (ValueError, msgspec.ValidationError):
        return appended
    if noted.tzinfo is None or not EPOCH <= noted <= appended + AHEAD:
        return appended
    return noted.astimezone(UTC)


def happened(draft: Draft, received: datetime) -> datetime | Problem:
    """Tell when an event happened, in UTC.

    `received - (sent - original)` takes the sender's clock out of it; without both times what was said counts, then
    the original time, then the arrival. A little ahead of the arrival is five minutes ahead at most; more than a day
    ahead, or before 1970, is no time that anything can be counted at, and refuses the event.
    """
    original, sent = draft.original, draft.sent
    if original is not None and sent is not None:
        try:
            at = received - (sent - original)
        except OverflowError:
            return _far_off(draft.paths.original, original - sent, ahead=original > sent)
        path = draft.paths.original
    else:
        at = draft.said or original or received
        path = draft.paths.said if draft.said is not None else draft.paths.original
    if at < EPOCH:
        return _far_off(path, EPOCH - at, ahead=False)
    ahead = at - received
    if ahead > AHEAD:
        return received + AHEAD if ahead <= FAR_AHEAD else _far_off(path, ahead, ahead=True)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _far_off(path: str, by: timedelta, *, ahead: bool) -> Problem:
    expected = "at most a day after it was received" if ahead else "1970 or later"
    about = next((text for days, text in _MAGNITUDES if abs(by) >= timedelta(days=days)), "less than a day")
    found = f"{about} after that" if ahead else f"{about} before that"
    return Problem(Stage.ENVELOPE, Reason.OUT_OF_RANGE, path, expected, found)


def microseconds(at: datetime) -> int:
    """Count an aware time's microseconds since 1970."""
    return (at - EPOCH) // _TICK


def parse(text: str, path: str) -> datetime | Problem:
    """Read an RFC 3339 date-time, which has an offset."""
    shape = _DATE_TIME.fullmatch(text)
    if shape is None:
        return _not_a_time(path)
    if shape["offset"] is None:
        return no_offset(path)
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return _not_a_time(path)


def no_offset(path: str) -> Problem:
    """Say that a time names no offset, so that it could be anywhere within a day."""
    return Problem(Stage.ENVELOPE, Reason.NO_OFFSET, path, "RFC 3339 date-time with offset", "date-time without offset")


def _not_a_time(path: str) -> Problem:
    return Problem(Stage.ENVELOPE, Reason.NOT_A_TIME, path, "RFC 3339 date-time", "string")
