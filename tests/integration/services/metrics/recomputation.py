"""Every KPI computed anew from the raw messages, by nothing of metrics' own: the oracle of invariant I10."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from shared.runtime.records import PlainRecord

K = TypeVar("K", bound=tuple[object, ...])

Answers = Mapping[str, list[tuple[object, ...]]]


def month_of(text: str) -> str:
    """Return the month in UTC, as `2026-01`."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m")


def recompute(records: Iterable[PlainRecord]) -> Answers:
    """Answer every KPI from a list of records in which nothing is repeated, in any order."""
    by_topic: dict[str, list[PlainRecord]] = defaultdict(list)
    for record in records:
        by_topic[record.topic].append(record)
    activities = [json.loads(record.value or b"") for record in by_topic["crm.activities.v1"]]
    changes = [json.loads(record.value or b"") for record in by_topic["crm.segment-changes.v1"]]
    messages = _latest(by_topic["crm.outreach.v1"], "message_key", "ce_sequence")
    customers = _latest(by_topic["crm.customers.v1"], "customer_id", "ce_version")
    whose = _whose(activities, by_topic["crm.customers.v1"])
    for one in activities:
        one["whose"] = whose.get(one["identity_id"], one["identity_id"])
    flow = Counter(
        (month_of(one["effective_at"]), one["segment"], one["change"])
        for one in changes
        if one["cause"]["kind"] != "merge"
    )
    mails = [mail for mail in messages.values() if mail["channel"] == "email"]
    return {
        **_orders(activities),
        "engaged_customers": _counted({(month_of(one["occurred_at"]), one["whose"]) for one in activities}),
        "segment_flow": _rows(flow),
        "mails_by_state": _rows(Counter((mail["campaign"], mail["state"]) for mail in mails)),
        "mails_left_out": _rows(
            Counter((mail["campaign"], mail["rule"] or "unnamed") for mail in mails if mail["state"] == "skipped")
        ),
        "customers_by_lifecycle": _rows(
            Counter((one["lifecycle"],) for one in customers.values() if "lifecycle" in one)
        ),
    }


def _whose(activities: Sequence[Mapping[str, Any]], customers: Iterable[PlainRecord]) -> Mapping[str, str]:
    told = [(one["identity_id"], one.get("membership_version", 1), one["customer_id"]) for one in activities]
    for record in customers:
        value = json.loads(record.value or b"{}")
        for identity, number in value.get("memberships", {}).items():
            told.append((identity, number, value.get("redirect_to", value["customer_id"])))
    return {identity: customer for identity, _, customer in sorted(told)}


def _orders(activities: Sequence[Mapping[str, object]]) -> Answers:
    orders: list[tuple[str, str, str, Decimal | None, str]] = []
    for one in activities:
        if one["name"] != "Order Completed":
            continue
        payload = one["payload"]
        assert isinstance(payload, dict)
        total = payload.get("total")
        amount = Decimal(total["amount"]) if total else None
        at = datetime.fromisoformat(str(one["occurred_at"])).astimezone(UTC).date().isoformat()
        orders.append((at[:7], str(one["whose"]), total["currency"] if total else "", amount, at))
    revenue: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    days: dict[str, list[str]] = defaultdict(list)
    for month, customer, currency, amount, at in orders:
        if amount is not None:
            revenue[month, currency].append(amount)
        days[customer].append(at)
    firsts = [sorted(each) for each in days.values()]
    return {
        "monthly_revenue": sorted((*key, sum(amounts, Decimal(0))) for key, amounts in revenue.items()),
        "monthly_orders": _rows(Counter((month,) for month, *_ in orders)),
        "active_customers": _counted({(month, customer) for month, customer, *_ in orders}),
        "new_customers": _rows(Counter((first[0][:7],) for first in firsts)),
        "repeat_customers": _rows(Counter((first[1][:7],) for first in firsts if len(first) > 1)),
        "average_order_value": sorted((*key, _average(amounts)) for key, amounts in revenue.items()),
    }


def _average(amounts: Sequence[Decimal]) -> Decimal:
    exact = Fraction(sum(amounts, Decimal(0))) / len(amounts)
    scaled = abs(exact) * 10_000
    # PostgreSQL rounds halves away from zero.
    rounded = Decimal(int(scaled + Fraction(1, 2))) / 10_000
    return rounded if exact >= 0 else -rounded


def _latest(records: Iterable[PlainRecord], key: str, number: str) -> Mapping[str, Mapping[str, object]]:
    found: dict[str, tuple[tuple[int, int], Mapping[str, object] | None]] = {}
    for record in records:
        headers = dict(record.headers)
        place = (int(headers["ce_incarnation"]), int(headers[number]))
        value = None if record.value is None else json.loads(record.value)
        name = (record.key or b"").decode() if value is None else value[key]
        if name not in found or place > found[name][0]:
            found[name] = (place, value)
    return {name: value for name, (_, value) in found.items() if value is not None}


def _counted(pairs: set[tuple[str, object]]) -> list[tuple[object, ...]]:
    return _rows(Counter((month,) for month, _ in pairs))


def _rows(counts: Mapping[K, int]) -> list[tuple[object, ...]]:
    return sorted(((*key, count) for key, count in counts.items()), key=repr)
