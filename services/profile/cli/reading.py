"""Reading the customer: the record of one, and everything it was made of."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
import psycopg
import typer

from services.profile.adapters import postgres_lookup
from services.profile.adapters.postgres_lookup import Customer
from services.profile.domain.record import record_of
from shared.contracts.customers import CustomerRecord
from shared.contracts.interactions import Activity
from shared.contracts.money import shown
from shared.runtime.console import database, emit, fail, table

app = typer.Typer(add_completion=False)

_WANTED = re.compile(r"[0-9a-fA-F]{32}|[^:]+:.+", re.DOTALL)
_MOST = 100_000

Who = Annotated[
    str,
    typer.Argument(
        metavar="ID|KIND:VALUE",
        help="A customer id (32 hexadecimal digits), or any identifier the customer was seen with.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(
    epilog="Examples: rapport customers show user_id:u-17 | rapport customers show email:eva@example.com --json",
)
def show(who: Who, as_json: Json = False) -> None:
    """Show a customer's record."""
    with database("profile") as connection:
        customer = _one(connection, who)
    record = record_of(customer.customer_id, customer.state)
    if as_json:
        emit({"version": customer.version, "record": record})
        return
    _show(record, customer.version)


@app.command(
    epilog="Examples: rapport customers timeline user_id:u-17 | rapport customers timeline user_id:u-17 --json",
)
def timeline(
    who: Who,
    last: Annotated[int, typer.Option(min=1, max=_MOST, help="Activities at most, the latest ones.")] = 50,
    as_json: Json = False,
) -> None:
    """Show a customer's activities in the order in which they were applied."""
    with database("profile") as connection:
        customer = _one(connection, who)
        activities = postgres_lookup.timeline(connection, customer.customer_id, last)
    if as_json:
        emit({"customer_id": customer.customer_id, "version": customer.version, "activities": activities})
        return
    table(
        f"Timeline of {customer.customer_id}, {len(activities)} of {customer.version} activities",
        ("version", "happened", "name", "source", "message id", "payload"),
        [_line(activity) for activity in activities],
    )


def _one(connection: psycopg.Connection, who: str) -> Customer:
    if _WANTED.fullmatch(who) is None:
        fail(f"{who!r} names no customer: expected 32 hexadecimal digits, or KIND:VALUE such as user_id:u-17.")
    found = postgres_lookup.find(connection, who)
    if not found:
        fail(f"No customer was seen with {who}. Is it spelt as it was sent? Addresses are in lower case.", 1)
    if len(found) > 1:
        ids = "\n".join(f"  {customer.customer_id}" for customer in found)
        fail(f"{len(found)} customers were seen with {who}; choose one by id:\n{ids}")
    return found[0]


def _show(record: CustomerRecord, version: int) -> None:
    lines: list[Sequence[object]] = [
        ("customer id", record.customer_id),
        ("version", version),
        ("lifecycle", record.lifecycle.value),
        ("first activity", _when(record.first_at)),
        ("last activity", _when(record.last_at)),
    ]
    lines += [(f"identity {identity.kind}", identity.value) for identity in record.identities]
    lines += [(f"trait {name}", _json(trait.value)) for name, trait in sorted(record.traits.items())]
    if record.orders is not None:
        lines.append(("orders", record.orders.count))
        lines += [(f"revenue {money.currency}", shown(money.value)) for money in record.orders.revenue]
        lines += [("first order", _when(record.orders.first_at)), ("last order", _when(record.orders.last_at))]
    lines += [
        (f"consent {subject}", f"{consent.state.value} since {_when(consent.at)}")
        for subject, consent in sorted(record.consent.items())
    ]
    table("Customer", ("what", "value"), lines)


def _line(activity: Activity) -> Sequence[object]:
    return (
        activity.customer_version,
        _when(activity.occurred_at),
        activity.name,
        activity.source,
        activity.message_id,
        _json(activity.payload),
    )


def _json(value: msgspec.Raw) -> str:
    return bytes(value).decode("utf-8", "replace")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
