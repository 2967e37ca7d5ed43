"""`rapport customers account`: a company or team, and who belongs to it."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from services.profile.adapters.account_lookup import MOST_MEMBERS, find_account
from shared.contracts.money import shown
from shared.runtime.console import database, emit, fail, table

app = typer.Typer(add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog="Examples: rapport customers account acme | rapport customers account acme --json")
def account(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id, as its sender gives it.")],
    as_json: Json = False,
) -> None:
    """Show an account's record, the customers that belong to it now, and what they come to together."""
    with database("profile") as connection:
        found = find_account(connection, account_id)
    if found is None:
        fail("No event named such an account. Is its id spelt as it was sent?", 1)
    if as_json:
        emit(found)
        return
    record = found.record
    lines: list[Sequence[object]] = [
        ("account id", record.account_id),
        ("version", found.version),
        ("first activity", f"{record.first_at:%Y-%m-%d %H:%M:%S}"),
        ("last activity", f"{record.last_at:%Y-%m-%d %H:%M:%S}"),
    ]
    lines += [(f"trait {name}", _json(trait.value)) for name, trait in sorted(record.traits.items())]
    if found.totals is None:
        lines.append(("customers", f"more than {MOST_MEMBERS:,} were named; {len(found.members):,} of the first are"))
    else:
        lines += [("customers", found.totals.customers), ("orders", found.totals.orders)]
        lines += [(f"revenue {money.currency}", shown(money.value)) for money in found.totals.revenue]
    lines += [("customer", name) for name in found.members]
    table("Account", ("what", "value"), lines)


def _json(value: msgspec.Raw) -> str:
    return bytes(value).decode("utf-8", "replace")
