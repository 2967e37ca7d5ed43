"""Waiting for a condition, with a deadline and words for what did not come."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05


class NeverHappenedError(AssertionError):
    """A condition did not come true in time: a difference like any other."""


def until(look: Callable[[], T], what: str, seconds: float = 30.0) -> T:
    """Look until there is something true, and return it.

    Raises:
        NeverHappenedError: names what was awaited.
    """
    ends = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > ends:
            raise NeverHappenedError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
