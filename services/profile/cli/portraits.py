"""A customer's record as lines for people: what is known, its value, who said so and when."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from services.profile.answering import Whole
from shared.contracts.customers import Assigned, Case, CustomerRecord, Orders
from shared.contracts.money import Money, shown

Line = Sequence[object]


def lines_of(answer: Whole) -> list[Line]:
    """Lay a customer out, a line for each thing that is known: what, value, from where, at what time."""
    record = answer.customer
    return [
        ("customer id", record.customer_id, None, None),
        ("version", answer.version.number, None, None),
        ("lifecycle", record.lifecycle.value, None, None),
        ("first activity", None, None, when(record.first_at)),
        ("last activity", None, None, when(record.last_at)),
        *((f"identity {one.kind}", one.value, None, None) for one in record.identities),
        *_said(record),
        *_orders(record.orders),
        *_totals(record),
        *_cases(record),
        *((f"decision {one.kind}", one.why or None, one.who, when(one.decided_at)) for one in answer.audit),
    ]


def one_line(value: msgspec.Raw) -> str:
    """Show JSON as it is."""
    return bytes(value).decode("utf-8", "replace")


def when(at: datetime) -> str:
    """Show a time, in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _said(record: CustomerRecord) -> Iterator[Line]:
    for name, trait in sorted(record.traits.items()):
        yield f"trait {name}", one_line(trait.value), trait.source, when(trait.at)
    for one in record.addresses:
        yield f"address {one.channel}", f"{one.value} ({one.state.value})", None, one.at and when(one.at)
    for subject, consent in sorted(record.consent.items()):
        yield f"consent {subject}", consent.state.value, None, when(consent.at)
    yield from _assigned("owner", record.owner)
    yield from _assigned("account", record.account)


def _assigned(what: str, assigned: Assigned | None) -> Iterator[Line]:
    if assigned is not None:
        yield what, assigned.id, assigned.source, when(assigned.at)


def _orders(orders: Orders | None) -> Iterator[Line]:
    if orders is None:
        return
    yield "orders", orders.count, None, f"{when(orders.first_at)} to {when(orders.last_at)}"
    yield from (("revenue", _money(money), None, None) for money in orders.revenue)


def _totals(record: CustomerRecord) -> Iterator[Line]:
    for name, total in sorted(record.totals.items()):
        amounts = ", ".join(map(_money, total.amount))
        value = f"{total.count} ({amounts})" if amounts else total.count
        yield name.replace("_", " "), value, None, f"{when(total.first_at)} to {when(total.last_at)}"
    for name, answer in sorted(record.answers.items()):
        yield f"{name.upper()} last of {answer.count}", f"{answer.score} of {answer.scale}", None, when(answer.at)


def _cases(record: CustomerRecord) -> Iterator[Line]:
    kinds = ("ticket", record.open_tickets), ("complaint", record.open_complaints), ("deal", record.open_deals)
    for kind, cases in kinds:
        yield from ((f"open {kind} {one.id}", _case(one), None, when(one.at)) for one in cases)


def _case(case: Case) -> str:
    return ", ".join(part for part in (case.status, case.subject, case.amount and _money(case.amount)) if part)


def _money(money: Money) -> str:
    return f"{shown(money.value)} {money.currency}"
