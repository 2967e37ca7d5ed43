"""A tally is how often and when one event happened; those of several identities join to one, whatever the order."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping

import msgspec

from services.segmenter.domain.rules import MOST_IN_A_WINDOW
from services.segmenter.domain.windows import DAY, LONGEST_DAYS

KEPT_TIMES = MOST_IN_A_WINDOW + 1
"""Times kept of one event of one customer: one more than a rule can ask for, so that `== n` still tells n from more."""

_PACKED = struct.Struct("=q")
_LENGTH = LONGEST_DAYS * DAY


class Tally(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often and when one event happened: `times` are sorted instants, 8 bytes each; `pruned` counts older ones."""

    pruned: int
    times: bytes

    def instants(self) -> "memoryview[int]":
        """Look at the kept times as a sorted sequence of instants."""
        return memoryview(self.times).cast("q")


def noted(tallies: Mapping[str, Tally], name: str, at: int, now: int) -> dict[str, Tally]:
    """Count an event that happened at `at`; it may be late, early, or at the same time as others."""
    tally = tallies.get(name)
    tally = Tally(0, _PACKED.pack(at)) if tally is None else _inserted(tally, at)
    return {**tallies, name: _bounded(tally, now)}


def joined(parts: Iterable[Mapping[str, Tally]], now: int) -> dict[str, Tally]:
    """Count together what was counted apart: what comes of it is as if every event had been noted in one place.

    A time that is forgotten in a part is one that no rule could ask of the whole: it is as old there, and has at least
    as many later ones.
    """
    gathered: dict[str, list[Tally]] = {}
    for part in parts:
        for name, tally in part.items():
            gathered.setdefault(name, []).append(tally)
    return {name: _bounded(_united(found), now) for name, found in gathered.items()}


def _united(found: list[Tally]) -> Tally:
    if len(found) == 1:
        return found[0]
    times = array("q")
    for tally in found:
        times.frombytes(tally.times)
    return Tally(sum(tally.pruned for tally in found), array("q", sorted(times)).tobytes())


def _inserted(tally: Tally, at: int) -> Tally:
    times = tally.instants()
    if times and at < times[-1]:
        place = 8 * bisect_right(times, at)
        return Tally(tally.pruned, tally.times[:place] + _PACKED.pack(at) + tally.times[place:])
    return Tally(tally.pruned, tally.times + _PACKED.pack(at))


def _bounded(tally: Tally, now: int) -> Tally:
    """Forget times that no rule can ask for: past the longest window, or behind the 10,000 latest before now."""
    times = tally.instants()
    if not times or (times[0] > now - _LENGTH and len(times) <= KEPT_TIMES):
        return tally
    cut = max(bisect_right(times, now - _LENGTH), bisect_right(times, now) - KEPT_TIMES)
    return Tally(tally.pruned + cut, tally.times[8 * cut :]) if cut > 0 else tally
