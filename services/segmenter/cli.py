"""`rapport segments`: check definitions, see who is in, and why."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from psycopg import Connection

from services.segmenter.adapters import segment_queries
from services.segmenter.adapters.definition_files import read_files
from services.segmenter.adapters.postgres_definitions import in_force
from services.segmenter.domain.catalogue import Catalogue
from services.segmenter.domain.definitions import FaultyDefinitionsError
from services.segmenter.domain.explanation import explain as explained
from services.segmenter.domain.instants import NEVER, instant, moment
from services.segmenter.reading import is_customer_id
from shared.runtime.clock import SystemClock
from shared.runtime.console import database, emit, fail, records, table

app = typer.Typer(
    help="Segments: check definitions, see who is in, and why.",
    epilog="Examples: rapport segments list | rapport segments members two-or-more | "
    "rapport segments validate config/segments/*.yaml",
    no_args_is_help=True,
    add_completion=False,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SegmentArgument = Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's name, as `list` shows it.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows at most.")]


@app.callback()
def segments() -> None:
    """Segments: check definitions, see who is in, and why."""


@app.command(epilog="Examples: rapport segments validate config/segments/*.yaml")
def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definition files, one segment each.")],
    as_json: JsonOption = False,
) -> None:
    """Check definition files; exit code 2 and a line for each fault if there are any. Needs no server."""
    try:
        found = read_files(files)
    except FaultyDefinitionsError as faulty:
        if as_json:
            emit({"valid": False, "faults": faulty.faults})
            raise typer.Exit(2) from None
        fail(str(faulty))
    if as_json:
        emit({"valid": True, "segments": sorted(found)})
        return
    table(
        "Valid definitions", ("segment", "description"), [(name, one.description) for name, (one, _) in found.items()]
    )


@app.command("list", epilog="Examples: rapport segments list | rapport segments list --json")
def list_segments(as_json: JsonOption = False) -> None:
    """List segments with the version in force and how many customers are in."""
    with database("segmenter") as connection:
        rows = segment_queries.sizes(connection)
    columns = ("segment", "version", "members", "removed")
    if as_json:
        emit(records(columns, rows))
        return
    shown = [(name, version, size, "removed" if removed else "in force") for name, version, size, removed in rows]
    table("Segments", ("segment", "version", "members", "state"), shown)


@app.command(epilog="Examples: rapport segments members two-or-more --limit 5 | rapport segments members vip --json")
def members(segment: SegmentArgument, limit: LimitOption = 50, as_json: JsonOption = False) -> None:
    """List who is in a segment, latest entries first."""
    with database("segmenter") as connection:
        _known(connection, segment)
        rows = segment_queries.members(connection, segment, limit)
    if as_json:
        emit(records(segment_queries.MEMBER_COLUMNS, rows))
        return
    table(f"In {segment}", segment_queries.MEMBER_COLUMNS, [[_cell(cell) for cell in row] for row in rows])


@app.command(epilog="Example: rapport segments explain two-or-more 5f0c… (a customer's 32 hexadecimal digits)")
def explain(
    segment: SegmentArgument,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id, as `members` shows it.")],
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell whether a customer is in a segment, since when, why, when that can change by itself, and its history."""
    customer_id = customer.lower().replace("-", "")
    if not is_customer_id(customer_id):
        fail("CUSTOMER: expected 32 hexadecimal digits, as `rapport segments members` and `rapport customers` show.")
    with database("segmenter") as connection:
        catalogue = _known(connection, segment)
        found = segment_queries.customer(connection, customer_id)
        leads_to = segment_queries.leads_to(connection, customer_id)
        past = records(
            segment_queries.HISTORY_COLUMNS, segment_queries.history(connection, segment, customer_id, limit)
        )
    if found is None:
        fail(f"The segmenter knows no customer {customer_id}.", 1)
    standing = found.standings.get(segment)
    document: dict[str, Any] = {
        "segment": segment,
        "customer_id": customer_id,
        "inside": standing is not None and standing.inside,
        "since": None if standing is None else moment(standing.at),
        "redirected_to": leads_to,
        "why": (),
        "next_change_at": None,
        "history": past,
    }
    now = instant(SystemClock().now())
    for one in catalogue.segments:
        if one.name == segment and found.known:
            until = one.look(found, now)[1]
            document["why"] = explained(one.rule, found, now)
            document["next_change_at"] = moment(until) if until < NEVER else None
    if as_json:
        emit(document)
        return
    facts = [(fact.rule, _cell(fact.value)) for fact in document["why"]]
    state = "in" if document["inside"] else "out" if leads_to is None else f"part of {leads_to} now, out"
    since = f" since {_cell(document['since'])}" if standing else ""
    table(f"{customer_id} is {state}{since}", ("because", "found"), facts)
    table("Next change by itself", ("at",), [(_cell(document["next_change_at"]) or "never, only by an event",)])
    columns = ("sequence", "change", "effective_at", "cause", "reason")
    table("History", columns, [[_cell(one[name]) for name in columns] for one in past])


def _known(connection: Connection, segment: str) -> Catalogue:
    catalogue = in_force(connection)
    known = sorted(catalogue.names | set(catalogue.retired))
    if segment not in known:
        _unknown(segment, known)
    return catalogue


def _unknown(segment: str, known: list[str]) -> NoReturn:
    fail(f"There is no segment {segment!r}. Segments: {', '.join(known) or 'none'}.", 1)


def _cell(value: Any) -> str | None:
    match value:
        case None:
            return None
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds")
        case {"kind": kind, **rest}:
            return " ".join([str(kind), *map(str, rest.values())])
        case [*facts]:
            return "; ".join(f"{fact['rule']}: {fact['value']}" for fact in facts)
        case _:
            return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
