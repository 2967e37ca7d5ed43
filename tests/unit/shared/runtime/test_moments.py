"""Times in headers are anybody's words: whatever they say, reading them raises nothing."""

import pytest

from shared.runtime.moments import parse_time


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22T09:30:01", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "\0", "9" * 5_000],
)
def test_a_time_that_is_none_is_nothing(text: str) -> None:
    assert parse_time(text) is None


def test_a_time_of_any_zone_is_read_in_utc() -> None:
    at = parse_time("2026-11-22T09:30:01+02:00")
    assert at is not None
    assert at.isoformat() == "2026-11-22T07:30:01+00:00"
