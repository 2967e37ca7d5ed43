"""Why a rule is true or false: the parts that made it so, each in words with the value found."""

from decimal import Decimal
from typing import Any

from services.segmenter.domain.customer import Customer
from services.segmenter.domain.fields import Kind, field_at
from services.segmenter.domain.instants import moment
from services.segmenter.domain.predicate import compiled, counted, found
from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule
from shared.contracts.segments import Fact


def explain(rule: Rule, customer: Customer, now: int) -> tuple[Fact, ...]:
    """Name the comparisons and counts that decide the rule's truth at an instant.

    Of `all` that is true each part counts, of one that is false only the false ones; of `any` the other way round.
    """
    return tuple(_facts(rule, customer, now, negated=False))


def _facts(rule: Rule, customer: Customer, now: int, *, negated: bool) -> list[Fact]:
    match rule:
        case All() | AnyOf():
            parts = rule.all if isinstance(rule, All) else rule.any
            truths = [compiled(part)(customer, now) for part in parts]
            whole = all(truths) if isinstance(rule, All) else any(truths)
            deciding = [part for part, truth in zip(parts, truths, strict=True) if truth is whole]
            return [fact for part in deciding for fact in _facts(part, customer, now, negated=negated)]
        case Not():
            return _facts(rule.part, customer, now, negated=not negated)
        case Count():
            return [Fact(_stated(words(rule), negated=negated), counted(customer, rule, now))]
        case Compare():
            return [Fact(_stated(words(rule), negated=negated), _shown(rule, customer))]


def words(rule: Compare | Count) -> str:
    """Write a comparison or a count as people say it: `count(Order Completed, 30 days) >= 2`."""
    if isinstance(rule, Count):
        within = f", {rule.within.text}" if rule.within else ""
        return f"count({rule.count}{within}) {rule.operator} {rule.value}"
    if rule.operator == "exists":
        return f"{rule.field} exists"
    if isinstance(rule.value, tuple):
        return f"{rule.field} in [{', '.join(map(_literal, rule.value))}]"
    return f"{rule.field} {rule.operator} {_literal(rule.value)}"


def _stated(text: str, *, negated: bool) -> str:
    return f"not {text}" if negated else text


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _shown(rule: Compare, customer: Customer) -> Any:
    value = found(customer, rule)
    field = field_at(rule.field)
    return moment(value) if value is not None and field is not None and field.kind is Kind.TIME else value
