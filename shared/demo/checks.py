"""The published answers, and whether this run gave them."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.demo.findings import Found
from shared.demo.person import Undone

PERSON = "00004"
"""Whose 360 is shown."""
PROBES = 40
LEAST_CLOCK_EXITS = 20
LONGEST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of the demo, with what was expected and found."""

    name: str
    expected: str
    found: str
    holds: bool


def checks(found: Found) -> list[Check]:
    """Hold a run against what is known of the data: counts and revenue as published, the rest follows from them."""
    segments = {name: found.segments.get(name, 0) for name in ("two-or-more", "ordered-30d")}
    return [
        _equal("orders", 69659, found.orders),
        _equal("customers", 23570, found.customers),
        _equal("revenue, USD", "2500315.63", found.revenue),
        _equal("duplicates recognised", 696, found.duplicates),
        _equal("malformed records quarantined", 7, found.quarantined),
        _equal("events lost", 0, found.lost),
        _equal("in segment two-or-more", 11662, segments["two-or-more"]),
        _equal("in segment ordered-30d", 1506, segments["ordered-30d"]),
        _equal("mails at the mail server", 5809, found.mails),
        _equal("mails sent twice", 0, found.mails_twice),
        Check(
            "exits by the clock",
            f"at least {LEAST_CLOCK_EXITS}",
            str(found.clock_exits),
            found.clock_exits >= LEAST_CLOCK_EXITS,
        ),
        _fast("event to segment change, p95", found.latency_seconds),
        _fast("clock lateness, p95", found.clock_lateness_seconds),
    ]


def merge_check(undone: Undone) -> Check:
    """Hold two customers against what they were before they were one."""
    one, other = undone.orders
    expected = f"{one} + {other} = {one + other} orders as one, then as before"
    back = "as before" if undone.as_before else "otherwise"
    return Check(
        "two customers merged and parted",
        expected,
        f"{one} + {other} = {undone.orders_as_one} orders as one, then {back}",
        undone.holds,
    )


def _equal(name: str, expected: object, found: object) -> Check:
    return Check(name, str(expected), str(found), expected == found)


def _fast(name: str, percentiles: Mapping[str, float]) -> Check:
    p95 = percentiles.get("p95")
    holds = p95 is not None and p95 <= LONGEST_SECONDS
    return Check(name, f"at most {LONGEST_SECONDS:g} s", "nothing measured" if p95 is None else f"{p95:g} s", holds)
