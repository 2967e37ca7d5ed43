"""The oracle's part for what is counted, what is open, and whom mail reaches, by nothing of profile's own."""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

Json = Any

_COUNTED = {
    "visits": ["Page Viewed", "Screen Viewed"],
    "browsing": [
        "Products Searched",
        "Product Viewed",
        "Product Added",
        "Product Removed",
        "Cart Viewed",
        "Checkout Started",
    ],
    "refunds": ["Order Refunded"],
    "cancellations": ["Order Cancelled"],
    "mails": ["Email Delivered"],
    "mail_opens": ["Email Opened"],
    "mail_clicks": ["Email Link Clicked"],
    "mail_bounces": ["Email Bounced"],
    "mail_complaints": ["Email Marked as Spam"],
    "sign_ups": ["Signed Up"],
    "sign_ins": ["Signed In"],
    "trials": ["Trial Started"],
    "tickets": ["Ticket Opened"],
    "ticket_replies": ["Ticket Replied"],
    "tickets_resolved": ["Ticket Resolved"],
    "tickets_reopened": ["Ticket Reopened"],
    "calls": ["Call Logged"],
    "chats": ["Chat Ended"],
    "meetings": ["Meeting Held"],
    "leads": ["Lead Created"],
    "leads_qualified": ["Lead Qualified"],
    "deals_won": ["Deal Won"],
    "deals_lost": ["Deal Lost"],
    "complaints": ["Complaint Opened"],
    "complaints_closed": ["Complaint Closed"],
    "referrals": ["Referral Made"],
    "reviews": ["Review Posted", "Product Reviewed"],
    "tasks": ["Task Completed"],
}
_NAME_OF = {event: name for name, events in _COUNTED.items() for event in events}
_REACHED = ["Email Delivered", "Email Opened", "Email Link Clicked"]
_SOFT = ["soft", "transient", "temporary", "undetermined"]
_LISTED = ["suppressed", "suppression", "blocklist"]


def sections(
    events: list[Json], ranked: list[Json], at: Callable[[Json], datetime], text: Callable[[datetime], str]
) -> Json:
    """Return those parts of a record that are there only if they are not empty; `ranked` are its identities."""
    said = sorted(events, key=lambda event: (at(event), event["message_id"], event["source"]))
    found = {
        "addresses": [_address(one, said, at, text) for one in ranked if one["kind"] in ("email", "phone")],
        "totals": _totals(said, at, text),
        "answers": _answers(said, at, text),
        "open_tickets": _open(said, "ticket_id", "Ticket ", ["Opened", "Resolved", "Reopened"], "subject", at, text),
        "open_complaints": _open(said, "complaint_id", "Complaint ", ["Opened", "Closed"], "subject", at, text),
        "open_deals": _open(said, "deal_id", "Deal ", ["Stage Changed", "Won", "Lost"], "name", at, text),
        "owner": _last(said, "owner_id", ["Lead Created", "Lead Qualified", *_deals()], at, text),
        "account": _last(said, "group_id", ["Group Joined"], at, text),
    }
    return {name: part for name, part in found.items() if part}


def is_qualified(events: list[Json]) -> bool:
    """Tell whether somebody looked into the customer as a lead."""
    return any(event["name"] == "Lead Qualified" for event in events)


def is_lead(events: list[Json]) -> bool:
    """Tell whether the customer is somebody's lead."""
    return any(event["name"] == "Lead Created" for event in events)


def has_won(events: list[Json]) -> bool:
    """Tell whether a deal was won."""
    return any(event["name"] == "Deal Won" for event in events)


def _deals() -> list[str]:
    return ["Deal Stage Changed", "Deal Won", "Deal Lost"]


def _totals(said: list[Json], at: Any, text: Any) -> Json:
    groups: dict[str, list[Json]] = defaultdict(list)
    for event in said:
        name = event["payload"]["metric"] if event["name"] == "Survey Answered" else _NAME_OF.get(event["name"])
        if name:
            groups[name].append(event)
    totals = {}
    for name, group in groups.items():
        totals[name] = {"count": len(group), "first_at": text(at(group[0])), "last_at": text(at(group[-1]))}
        amounts: dict[str, Decimal] = defaultdict(Decimal)
        with localcontext(prec=200):  # the usual 28 digits would round
            for total in [event["payload"].get("total") for event in group if name == "refunds"]:
                if total:
                    amounts[total["currency"]] += Decimal(total["amount"])
        if amounts:
            totals[name]["amount"] = [{"amount": f"{amounts[code]:f}", "currency": code} for code in sorted(amounts)]
    return totals


def _answers(said: list[Json], at: Any, text: Any) -> Json:
    answers: dict[str, Json] = {}
    for event in said:
        if event["name"] == "Survey Answered":
            payload = event["payload"]
            count = answers.get(payload["metric"], {"count": 0})["count"] + 1
            last = {"score": payload["score"], "scale": payload["scale"], "at": text(at(event))}
            answers[payload["metric"]] = {"count": count, **last}
    return answers


def _open(said: list[Json], key: str, prefix: str, names: list[str], subject: str, at: Any, text: Any) -> Json:
    cases: dict[str, Json] = {}
    amounts: dict[str, Json] = {}
    for event in said:
        payload, step = event["payload"], event["name"].removeprefix(prefix)
        if event["name"].startswith(prefix) and step in names:
            is_open = step in ("Opened", "Reopened", "Stage Changed")
            status = (payload.get("stage") or "open") if step == "Stage Changed" else step.lower()
            case = {"id": payload[key], "status": status, "at": text(at(event))}
            if payload.get(subject) is not None:
                case["subject"] = payload[subject]
            if payload.get("amount") is not None:
                amounts[payload[key]] = payload["amount"]
            cases[payload[key]] = case if is_open else None
    found = [case for _, case in sorted(cases.items()) if case]
    return [{**case, "amount": amounts[case["id"]]} if case["id"] in amounts else case for case in found]


def _last(said: list[Json], key: str, names: list[str], at: Any, text: Any) -> Json:
    events = [event for event in said if event["name"] in names and event["payload"].get(key) is not None]
    if not events:
        return None
    return {"id": events[-1]["payload"][key], "source": events[-1]["source"], "at": text(at(events[-1]))}


def _address(one: Json, said: list[Json], at: Any, text: Any) -> Json:
    address = {"channel": one["kind"], "value": one["value"], "state": "unverified"}
    mails = [event for event in said if event["family"] == "email" and one in event["identities"]]
    if one["kind"] != "email":
        return address
    kinds = [(event, (event["payload"].get("bounce_type") or "").lower()) for event in mails]
    bounces = [(event, kind) for event, kind in kinds if event["name"] == "Email Bounced" and kind not in _SOFT]
    listed = [event for event, kind in bounces if kind in _LISTED]
    bounced = [event for event, kind in bounces if kind not in _LISTED]
    complained = [event for event in mails if event["name"] == "Email Marked as Spam"]
    reached = [event for event in mails if event["name"] in _REACHED]
    if bounced and reached and at(reached[-1]) > at(bounced[-1]):
        bounced = []
    for state, events in (
        ("suppressed", listed),
        ("complained", complained),
        ("bounced", bounced),
        ("verified", reached),
    ):
        if events:
            return {**address, "state": state, "at": text(at(events[-1]))}
    return address
