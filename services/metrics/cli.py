"""`rapport kpi`: what the numbers are, and what they mean."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import typer

from services.metrics.adapters.kpi_queries import question
from services.metrics.domain.kpis import KPIS, Kpi, Unit, kpi
from services.metrics.domain.months import month_text, parse_month
from shared.contracts.money import plain, shown
from shared.runtime import console

_SHOW = "rapport kpi show monthly_revenue"

app = typer.Typer(
    name="kpi",
    help="Key figures by month: revenue, orders, customers, segments, mails.",
    epilog=f"Examples: rapport kpi list | {_SHOW} | {_SHOW} --from 2026-01 --json",
    no_args_is_help=True,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Since = Annotated[str | None, typer.Option("--from", help="First month, such as 2026-01.", metavar="MONTH")]
Until = Annotated[str | None, typer.Option("--to", help="Last month, included, such as 2026-06.", metavar="MONTH")]


@app.command("list", epilog="Examples:  rapport kpi list  |  rapport kpi list --json")
def list_kpis(as_json: Json = False) -> None:
    """List every KPI with its meaning, columns and unit."""
    columns = ("name", "unit", "columns", "meaning")
    if as_json:
        rows = [(each.name, each.unit, each.columns, each.help) for each in KPIS]
        console.emit({"kpis": console.records(columns, rows)})
        return
    console.table("KPIs", columns, [(each.name, each.unit, ", ".join(each.columns), each.help) for each in KPIS])


@app.command(epilog=f"Examples:  {_SHOW}  |  {_SHOW} --from 2026-01 --to 2026-06 --json")
def show(
    name: Annotated[str, typer.Argument(help="A name from `rapport kpi list`.")],
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Show one KPI, by month if it is one by month."""
    chosen = kpi(name)
    if chosen is None:
        console.fail(f"There is no KPI {name!r}. Choose one of: {', '.join(each.name for each in KPIS)}.")
    first, last = _month("--from", since), _month("--to", until)
    if not chosen.by_month and (first or last):
        console.fail(f"{name} tells how things are now, not by month: leave out --from and --to.")
    if first and last and first > last:
        console.fail(f"--from {since} is after --to {until}.")
    query, parameters = question(chosen, first, last)
    with console.database("metrics") as connection:
        rows = connection.execute(query, parameters).fetchall()
    if as_json:
        exact = [[_cell(value, plain) for value in row] for row in rows]
        console.emit({**_description(chosen), "rows": console.records(chosen.columns, exact)})
        return
    typer.echo(chosen.help)
    number = shown if chosen.unit is Unit.MONEY else plain
    console.table(name, chosen.columns, [[_cell(value, number) for value in row] for row in rows])


def _month(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    month = parse_month(text)
    if month is None:
        console.fail(f"{option}: expected a month such as 2026-01, got {text!r}.")
    return month


def _description(chosen: Kpi) -> dict[str, Any]:
    return {"name": chosen.name, "meaning": chosen.help, "unit": chosen.unit, "columns": chosen.columns}


def _cell(value: Any, number: Callable[[Decimal], str]) -> Any:
    match value:
        case date():
            return month_text(value)
        case Decimal():
            return number(value)
        case _:
            return value
