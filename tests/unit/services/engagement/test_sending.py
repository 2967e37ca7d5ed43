"""How long a sender goes on by what it was told of consent."""

import time
from datetime import timedelta

from services.engagement.sending import Asked
from tests.unit.services.engagement.records import NOON

LONG_AGO = 11.0


def test_what_was_asked_just_now_still_holds() -> None:
    assert Asked(NOON, time.monotonic()).still_holds(NOON + timedelta(seconds=1))


def test_what_was_asked_long_ago_by_either_clock_holds_no_more() -> None:
    assert not Asked(NOON, time.monotonic()).still_holds(NOON + timedelta(seconds=LONG_AGO))
    assert not Asked(NOON, time.monotonic() - LONG_AGO).still_holds(NOON)


def test_a_wall_clock_that_is_set_back_prolongs_nothing() -> None:
    assert not Asked(NOON, time.monotonic() - LONG_AGO).still_holds(NOON - timedelta(hours=1))
