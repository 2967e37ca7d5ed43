"""`rapport ingest`: who may send, what was refused, why, and its own bytes."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from services.ingest.adapters.postgres_quarantine import LIST_COLUMNS, SHOW_COLUMNS, entry, newest
from services.ingest.cli_sources import app as sources
from services.ingest.domain.problems import Reason
from shared.runtime.console import database, emit, fail, records, table

app = typer.Typer(
    help="Events from outside: who may send, what was refused and why.",
    epilog="Examples: rapport ingest sources add web-shop | rapport ingest quarantine list --limit 5",
    no_args_is_help=True,
    add_completion=False,
)
quarantine = typer.Typer(help="Events that were refused, with their reason and their own bytes.", no_args_is_help=True)
app.add_typer(quarantine, name="quarantine")
app.add_typer(sources, name="sources")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback()
def ingest() -> None:
    """Events from outside: who may send, what was refused and why."""


@quarantine.command(
    "list",
    epilog="Examples: rapport ingest quarantine list --reason not_a_number | rapport ingest quarantine list --json",
)
def list_entries(
    reason: Annotated[Reason | None, typer.Option(help="Only events refused for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Events at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List refused events, newest first."""
    with database("ingest") as connection:
        rows = newest(connection, None if reason is None else reason.value, limit)
    if as_json:
        emit(records(LIST_COLUMNS, rows))
        return
    shown = [[_when(cell) if isinstance(cell, datetime) else cell for cell in row] for row in rows]
    table("Quarantine", ("id", "when", "source", "stage", "reason", "path", "expected", "found"), shown)


@quarantine.command("show", epilog="Example: rapport ingest quarantine show 12")
def show_entry(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The id that `list` shows.")],
    as_json: JsonOption = False,
) -> None:
    """Show one refused event with its own bytes and headers."""
    with database("ingest") as connection:
        row = entry(connection, number)
    if row is None:
        fail(
            f"There is no entry {number} in the quarantine. `rapport ingest quarantine list` shows those there are.", 1
        )
    found = dict(zip(SHOW_COLUMNS, row, strict=True))
    headers = msgspec.msgpack.decode(found["headers"])
    found |= {
        "original": _readable(found["original"]),
        "around": _readable(found["around"]),
        "headers": [[name, _readable(value)] for name, value in headers],
    }
    if as_json:
        emit(found)
        return
    rows = [(name, _cell(value)) for name, value in found.items() if name != "headers"]
    rows += [(f"header {_printable(name)}", _cell(value)) for name, value in found["headers"]]
    table(f"Quarantine {number}", ("what", "value"), rows)


def _when(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _readable(data: bytes | None) -> str | None:
    """Decode what anybody may have sent: what is no text is shown as escapes."""
    return None if data is None else data.decode("utf-8", "backslashreplace")


def _printable(text: str) -> str:
    """Escape what a terminal would obey, such as a sequence that clears the screen."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    return _printable(_when(value) if isinstance(value, datetime) else str(value))
