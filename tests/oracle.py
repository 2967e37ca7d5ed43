"""Every customer's record folded anew from the interactions' JSON, by nothing of profile's own (invariants I2, I3)."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from tests.oracle_sections import has_won, is_lead, is_qualified, sections

Json = Any


def unique(values: Iterable[bytes]) -> list[Json]:
    """Keep the first event of each dedupe key."""
    kept: dict[str, Json] = {}
    for value in values:
        event = json.loads(value, parse_float=Decimal)
        kept.setdefault(event["dedupe_key"], event)
    return list(kept.values())


def fold(values: Iterable[bytes], customers: Mapping[str, str] | None = None) -> Mapping[str, Json]:
    """Return the record of each customer, as plain values, from interactions in any order, repeats included.

    `customers` tells whose each identity is; without it, each is its own, and so is whatever its events name besides.
    """
    everything = unique(values)
    events: dict[str, list[Json]] = defaultdict(list)
    for event in everything:
        owner = owner_of(event)
        events[owner if customers is None else customers[owner]].append(event)
    if customers is None:
        return {customer: _record(customer, mine, _named(mine)) for customer, mine in events.items()}
    named = _named(everything)
    return {
        customer: _record(customer, mine, {one: ref for one, ref in named.items() if customers[one] == customer})
        for customer, mine in events.items()
    }


def _named(events: list[Json]) -> dict[str, Json]:
    return {identity["id"]: identity for event in events for identity in event["identities"]}


def text_of(at: datetime) -> str:
    """Write a time as our messages do."""
    return at.isoformat().replace("+00:00", "Z")


def _rank(identity: Mapping[str, str]) -> tuple[int, str, str]:
    return ({"user_id": 0, "email": 1}.get(identity["kind"], 2), identity["kind"], identity["id"])


def owner_of(event: Json) -> str:
    return str(min(event["identities"], key=_rank)["id"])


def event_time(event: Json) -> datetime:
    occurred, received = (datetime.fromisoformat(event[name]) for name in ("occurred_at", "received_at"))
    return min(occurred, received + timedelta(minutes=5)).astimezone(UTC)


def _record(customer: str, events: list[Json], identities: Mapping[str, Json]) -> Json:
    times = [event_time(event) for event in events]
    ranked = sorted(identities.values(), key=_rank)
    orders = _orders([event for event in events if event["name"] == "Order Completed"])
    known = any(identity["kind"] in ("user_id", "email") for identity in ranked)
    more = sections(events, ranked, event_time, text_of)
    return {
        "customer_id": customer,
        "identities": ranked,
        "traits": _traits([event for event in events if event["family"] == "identify"]),
        "orders": orders,
        "consent": _consent(events),
        "first_at": text_of(min(times)),
        "last_at": text_of(max(times)),
        "lifecycle": _stage(events, known=known, bought=bool(orders), has_deal="open_deals" in more),
        **more,
    }


def _stage(events: list[Json], *, known: bool, bought: bool, has_deal: bool) -> str:
    if bought or has_won(events):
        return "customer"
    if has_deal:
        return "opportunity"
    if is_qualified(events):
        return "qualified"
    return "lead" if known or is_lead(events) else "visitor"


def _orders(orders: list[Json]) -> Json:
    if not orders:
        return None
    revenue: dict[str, Decimal] = defaultdict(Decimal)
    with localcontext(prec=200):  # the usual 28 digits would round
        for order in orders:
            total = order["payload"].get("total")
            if total is not None:
                revenue[total["currency"]] += Decimal(total["amount"])
    return {
        "count": len(orders),
        "revenue": [{"amount": f"{revenue[code]:f}", "currency": code} for code in sorted(revenue)],
        "first_at": text_of(min(map(event_time, orders))),
        "last_at": text_of(max(map(event_time, orders))),
    }


def _traits(said: list[Json]) -> Json:
    traits: dict[str, Json] = {}
    for event in sorted(said, key=lambda one: (event_time(one), one["message_id"], one["source"])):
        for name, value in event["payload"]["traits"].items():
            traits[name] = {"value": value, "source": event["source"], "at": text_of(event_time(event))}
    return {name: trait for name, trait in traits.items() if trait["value"] is not None}


def _consent(events: list[Json]) -> Json:
    state_of = {"Consent Given": "given", "Consent Withdrawn": "withdrawn", "Unsubscribed": "withdrawn"}
    said: list[tuple[datetime, bool, str, str]] = []
    for event in events:
        state = state_of.get(event["name"])
        if state is not None:
            payload = (
                {"purpose": "marketing", "channel": "email"} if event["name"] == "Unsubscribed" else event["payload"]
            )
            said.append((event_time(event), state == "withdrawn", f"{payload['purpose']}/{payload['channel']}", state))
    return {subject: {"state": state, "at": text_of(at)} for at, _, subject, state in sorted(said)}
