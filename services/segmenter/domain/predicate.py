"""A rule as a Python predicate: closures over the literals, compiled once, run for each event."""

import operator
from bisect import bisect_right
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any, TypeAlias

from services.segmenter.domain.customer import Customer
from services.segmenter.domain.fields import Kind, field_at
from services.segmenter.domain.instants import written
from services.segmenter.domain.record import facts_of
from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule

Predicate: TypeAlias = Callable[[Customer, int], bool]
"""Judges a customer at an instant."""

Test: TypeAlias = Callable[[Any, Any], bool]

OPERATORS: dict[str, Test] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compiled(rule: Rule) -> Predicate:
    """Compile a rule; what comes out is pure and judges in about a microsecond a part."""
    match rule:
        case All():
            return _all([compiled(part) for part in rule.all])
        case AnyOf():
            return _any([compiled(part) for part in rule.any])
        case Not():
            part = compiled(rule.part)
            return lambda customer, now: not part(customer, now)
        case Compare():
            return _compare(rule)
        case Count():
            return _count(rule)


def _all(parts: Collection[Predicate]) -> Predicate:
    def judge(customer: Customer, now: int) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs more than the parts it runs
            if not part(customer, now):
                return False
        return True

    return judge


def _any(parts: Collection[Predicate]) -> Predicate:
    def judge(customer: Customer, now: int) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(customer, now):
                return True
        return False

    return judge


def counted(customer: Customer, rule: Count, now: int) -> int:
    """Count a rule's events at an instant: from when they happened on, until they are exactly a window old."""
    tally = customer.tallies.get(rule.count)
    if tally is None:
        return 0
    times = tally.instants()
    upto = len(times) if not times or times[-1] <= now else bisect_right(times, now)
    if rule.within is None:
        return tally.pruned + upto
    return upto - bisect_right(times, now - rule.within.length)


def _count(rule: Count) -> Predicate:
    test, number = OPERATORS[rule.operator], rule.value
    return lambda customer, now: test(counted(customer, rule, now), number)


def found(customer: Customer, rule: Compare) -> Any:
    """Return what stands at a rule's field, or nothing."""
    field = field_at(rule.field)
    return None if field is None or customer.record is None else field.read(facts_of(customer.record))


def _compare(rule: Compare) -> Predicate:
    field = field_at(rule.field)
    assert field is not None  # noqa: S101 - a rule's paths are checked when it is made
    read, matches = field.read, _matcher(rule, field.kind)

    def judge(customer: Customer, now: int) -> bool:
        del now  # records change by messages, never by time alone
        return matches(None if customer.record is None else read(facts_of(customer.record)))

    return judge


def _matcher(rule: Compare, kind: Kind) -> Callable[[Any], bool]:
    if rule.operator == "exists":
        return lambda value: value is not None
    if rule.operator == "in":
        assert isinstance(rule.value, tuple)  # noqa: S101 - checked when the rule is made
        choices = [_equals(literal, kind) for literal in rule.value]
        return lambda value: any(equals(value) for equals in choices)
    if rule.operator in {"==", "!="}:
        equals = _equals(rule.value, kind)
        return equals if rule.operator == "==" else lambda value: not equals(value)
    return _ordered(OPERATORS[rule.operator], rule.value, kind)


def _equals(literal: Any, kind: Kind) -> Callable[[Any], bool]:
    if kind is Kind.TIME:
        at = written(literal)
        return lambda value: value == at
    if isinstance(literal, bool):
        return lambda value: value is literal  # 1 == True in Python, not in a rule
    if isinstance(literal, str):
        return lambda value: value == literal
    return lambda value: is_number(value) and value == literal


def _ordered(test: Test, literal: Any, kind: Kind) -> Callable[[Any], bool]:
    if not isinstance(literal, str):
        return lambda value: is_number(value) and test(value, literal)
    at = written(literal)
    if kind is Kind.TIME:
        return lambda value: value is not None and test(value, at)

    def judge(value: Any) -> bool:
        instant = written(value) if isinstance(value, str) else None
        return instant is not None and test(instant, at)

    return judge


def is_number(value: Any) -> bool:
    """Tell whether a value is a number; true and false are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
