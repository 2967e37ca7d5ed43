"""What a rule means, read off the raw events and the record as plainly as can be: the oracle of the compiled forms."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule
from tests.property.services.segmenter.rules_and_lives import WINDOWS, Life


def is_true(rule: Rule, life: Life, now: datetime) -> bool:
    """Judge a rule on everything that happened, at a present."""
    match rule:
        case All():
            return all(is_true(part, life, now) for part in rule.all)
        case AnyOf():
            return any(is_true(part, life, now) for part in rule.any)
        case Not():
            return not is_true(rule.part, life, now)
        case Count():
            return ordered(rule.operator, count(rule, life, now), rule.value)
        case Compare():
            return compare(rule, life.record)


def count(rule: Count, life: Life, now: datetime) -> int:
    """Count events up to now that are younger than the window."""
    times = [at for name, at in life.events if name == rule.count and at <= now]
    return len(times if rule.within is None else [at for at in times if now - at < WINDOWS[rule.within.text]])


def compare(rule: Compare, record: dict[str, Any] | None) -> bool:
    """Compare a field; whatever is missing or of another type is neither equal nor ordered."""
    found = None if record is None else value_at(rule.field, record)
    if rule.operator == "exists":
        return found is not None
    if rule.operator == "in":
        assert isinstance(rule.value, tuple)
        return any(same(found, literal) for literal in rule.value)
    literal: Any = rule.value
    if rule.field == "last_at" or (rule.field.startswith("traits.") and rule.operator not in {"==", "!="}):
        literal, found = as_time(literal), as_time(found)
    if rule.operator in {"==", "!="}:
        return same(found, literal) == (rule.operator == "==")
    comparable = found is not None and kind(found) == kind(literal) and kind(found) in {"number", "time"}
    return comparable and ordered(rule.operator, found, literal)


def value_at(path: str, record: dict[str, Any]) -> Any:
    """Look a field up."""
    if path.startswith("traits."):
        return record["traits"].get(path.removeprefix("traits."))
    if path.startswith("orders.revenue."):
        amount = record["revenue"].get(path.removeprefix("orders.revenue.")) if record["orders"] else None
        return None if amount is None else Decimal(amount)
    if path.startswith("consent."):
        return record["consent"].get(path.removeprefix("consent."))
    if path == "orders.last_at":
        return record["last_at"] if record["orders"] else None
    return record[{"orders.count": "orders"}.get(path, path)]


def as_time(value: Any) -> Any:
    """Read a text as a time if it is one."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value):
        at = datetime.fromisoformat(value)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return value


def kind(value: Any) -> str:
    """Tell what may be compared with what."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | Decimal):
        return "number"
    return "time" if isinstance(value, datetime) else type(value).__name__


def same(found: Any, literal: Any) -> bool:
    """Tell whether two values of one kind are equal."""
    return kind(found) == kind(literal) and bool(found == literal)


def ordered(operator: str, left: Any, right: Any) -> bool:
    """Apply an operator."""
    outcomes = {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }
    return bool(outcomes[operator])
