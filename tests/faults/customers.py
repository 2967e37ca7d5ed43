"""What must be known of each customer: a fold of our own over what was sent, beside the service's."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any


def differences(sent: Iterable[Mapping[str, Any]], found: Mapping[bytes, bytes | None]) -> list[str]:
    """Compare interactions, each once, with the last record of each customer."""
    by_customer: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in sent:
        by_customer[one["identities"][0]["id"]].append(one)
    told = []
    for who in sorted({*by_customer, *(key.decode() for key in found)}):
        record = json.loads(found.get(who.encode()) or b"{}")
        wanted, got = _expected(by_customer[who]), _seen(record)
        told += [
            f"customer {who}: {part}: expected {wanted[part]}, found {got[part]}"
            for part in wanted
            if wanted[part] != got[part]
        ]
    return told[:10]


def _expected(events: list[Mapping[str, Any]]) -> dict[str, Any]:
    ordered = sorted(events, key=lambda one: (_at(one["occurred_at"]), one["message_id"]))
    orders = [one for one in ordered if one["name"] == "Order Completed"]
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    for order in orders:
        revenue[order["payload"]["total"]["currency"]] += Decimal(order["payload"]["total"]["amount"])
    plan = [one["payload"]["traits"]["plan"] for one in ordered if one["family"] == "identify"]
    consent = [one["name"].split()[1].lower() for one in ordered if one["family"] == "consent"]
    times = [_at(one["occurred_at"]) for one in ordered]
    return {
        "orders": len(orders),
        "revenue": dict(revenue),
        "first order": _at(orders[0]["occurred_at"]) if orders else None,
        "last order": _at(orders[-1]["occurred_at"]) if orders else None,
        "plan": plan[-1] if plan else None,
        "consent": consent[-1] if consent else None,
        "first": times[0] if times else None,
        "last": times[-1] if times else None,
    }


def _seen(record: Mapping[str, Any]) -> dict[str, Any]:
    orders = record.get("orders") or {"count": 0, "revenue": [], "first_at": None, "last_at": None}
    return {
        "orders": orders["count"],
        "revenue": {money["currency"]: Decimal(money["amount"]) for money in orders["revenue"]},
        "first order": _at(orders["first_at"]),
        "last order": _at(orders["last_at"]),
        "plan": record.get("traits", {}).get("plan", {}).get("value"),
        "consent": record.get("consent", {}).get("marketing/email", {}).get("state"),
        "first": _at(record.get("first_at")),
        "last": _at(record.get("last_at")),
    }


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
