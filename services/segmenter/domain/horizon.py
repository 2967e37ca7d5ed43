"""The next instant at which a rule's truth can change although nothing happens: what the clock is set to."""

from bisect import bisect_right
from collections.abc import Callable, Collection
from typing import TypeAlias

from services.segmenter.domain.customer import Customer
from services.segmenter.domain.instants import NEVER
from services.segmenter.domain.predicate import OPERATORS, compiled
from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule

Horizon: TypeAlias = Callable[[Customer, int], tuple[bool, int]]
"""Judges a customer at an instant and tells until when, exclusively, the answer holds if nothing happens."""


def horizon(rule: Rule) -> Horizon:
    """Compile a rule's horizon.

    The truth is constant from now until the instant returned (`NEVER` if it stays for ever). A lone count within a
    window changes exactly there unless several changes fall together; a tree may look a little too early, never late.
    """
    match rule:
        case All():
            return _all([horizon(part) for part in rule.all], unit=True)
        case AnyOf():
            return _all([horizon(part) for part in rule.any], unit=False)
        case Not():
            return _not(horizon(rule.part))
        case Compare():
            judge = compiled(rule)
            return lambda customer, now: (judge(customer, now), NEVER)
        case Count():
            return _count(rule)


def _not(part: Horizon) -> Horizon:
    def look(customer: Customer, now: int) -> tuple[bool, int]:
        truth, until = part(customer, now)
        return not truth, until

    return look


def _all(parts: Collection[Horizon], *, unit: bool) -> Horizon:
    """Join parts: with unit true they must all be true, with unit false they must all be false for the opposite.

    While the whole is `unit`, the first part to change ends it. Otherwise it cannot become `unit` before the last of
    the parts that stand against it has changed.
    """

    def look(customer: Customer, now: int) -> tuple[bool, int]:
        earliest, latest = NEVER, 0
        whole = unit
        for part in parts:
            truth, until = part(customer, now)
            if truth is unit:
                earliest = min(earliest, until)
            else:
                whole = not unit
                latest = max(latest, until)
        return whole, earliest if whole is unit else latest

    return look


def _count(rule: Count) -> Horizon:
    test, number, name = OPERATORS[rule.operator], rule.value, rule.count
    length = rule.within.length if rule.within else None
    leaving = _departures(rule.operator, number)
    none_yet = test(0, number), NEVER

    def look(customer: Customer, now: int) -> tuple[bool, int]:
        tally = customer.tallies.get(name)
        if tally is None:
            return none_yet
        times = tally.instants()
        upto = bisect_right(times, now) if times and times[-1] > now else len(times)
        arrival = times[upto] if upto < len(times) else NEVER
        if length is None:
            return test(tally.pruned + upto, number), arrival
        start = bisect_right(times, now - length, 0, upto)
        inside = upto - start
        nth = leaving(inside)
        departure = times[start + nth - 1] + length if nth else NEVER
        return test(inside, number), min(arrival, departure)

    return look


def _departures(operator: str, number: int) -> Callable[[int], int]:
    """Tell how many events must leave a window for the answer to change; 0 if leaving cannot change it."""
    if operator in {">=", "<", ">", "<="}:
        least = number if operator in {">=", "<"} else number + 1
        return lambda inside: inside - least + 1 if inside >= least > 0 else 0
    return lambda inside: 1 if inside == number > 0 else max(inside - number, 0)
