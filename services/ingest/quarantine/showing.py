"""How the quarantine is shown to people, and as JSON documents to programs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress

from services.ingest.domain.mending import Headers
from services.ingest.quarantine.fixing import Example, Mode, Order, Report, told
from services.ingest.quarantine.looking import readable
from shared.runtime.console import table

_SUMMARY = ("group", "events", "state", "source", "event", "reason", "path", "expected", "found", "seen", "example")
_STATES = ("open", "fixed", "replaying")
_LIST = ("id", "quarantined_at", "source", "event", "stage", "reason", "path", "expected", "found", "group", "state")
_HEADERS = ("headers", "mended_headers")


@contextmanager
def bar(what: str, *, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error while something goes on; told how many are done, of how many."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as drawn:
        task = drawn.add_task(what, total=None)
        yield lambda done, total: drawn.update(task, completed=done, total=total)


def summary(causes: Sequence[Mapping[str, Any]]) -> None:
    """Show causes as a table."""
    told = [{**cause, "state": _stands(cause), "seen": _seen(cause)} for cause in causes]
    table("Quarantine", _SUMMARY, [[_cell(cause[name]) for name in _SUMMARY] for cause in told])


def entries(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show entries as a table."""
    columns = ("id", "when", *_LIST[2:])
    table("Quarantine", columns, [[_cell(row[name]) for name in _LIST] for row in rows])


def entry(found: Mapping[str, Any]) -> None:
    """Show one entry, a line for each thing that is known of it."""
    rows = [(name, _cell(value)) for name, value in found.items() if name not in _HEADERS]
    for kind in _HEADERS:
        title = kind.replace("_", " ").removesuffix("s")
        rows += [(f"{title} {printable(name)}", _cell(value)) for name, value in found[kind] or ()]
    table(f"Quarantine {found['id']}", ("what", "value"), rows)


def fix_document(order: Order, report: Report) -> Mapping[str, Any]:
    """Write what came of a patch as one document."""
    return {
        "group": order.cause,
        "dry_run": order.mode is Mode.DRY_RUN,
        "events": report.entries,
        "accepted": report.accepted,
        "failing": report.failing,
        "still_refused": [
            {
                "group": still.cause,
                "events": still.events,
                "stage": still.problem.stage.value,
                "reason": still.problem.reason.value,
                "path": still.problem.path,
                "expected": still.problem.expected,
                "found": still.problem.found,
                "example": still.example,
            }
            for still in report.still_bad.values()
        ],
        "not_patched": [{"why": why, "events": count} for why, count in report.unmended.most_common()],
        "examples": [example_document(example) for example in report.examples],
    }


def example_document(example: Example) -> Mapping[str, Any]:
    """Write one event before and after a patch; headers are told where the patch changes them."""
    document: dict[str, Any] = {
        "id": example.entry,
        "before": readable(example.before),
        "after": readable(example.after),
        "then": example.then,
    }
    if example.after is not None and list(example.headers_before) != list(example.headers_after):
        document |= {
            "headers_before": _pairs(example.headers_before),
            "headers_after": _pairs(example.headers_after),
        }
    return document


def fixed(order: Order, report: Report) -> None:
    """Tell people what came of a patch."""
    rows: list[tuple[str, Any]] = []
    for example in report.examples:
        document = example_document(example)
        rows += [(f"{example.entry} {name}", _cell(value)) for name, value in document.items() if name != "id"]
    if rows:
        table("Before and after", ("event", "value"), rows)
    stills = [(s.cause, s.events, printable(told(s.problem)), s.example) for s in report.still_bad.values()]
    if stills:
        table("Still refused", ("group", "events", "why", "example"), stills)
    if report.unmended:
        table("Not patched", ("why", "events"), [(printable(why), n) for why, n in report.unmended.most_common()])
    dry = order.mode is Mode.DRY_RUN
    typer.echo(
        f"{report.accepted} of {report.entries} events "
        + ("would be accepted." if dry else "are fixed: `rapport ingest quarantine replay` sends them in again.")
    )


def printable(text: str) -> str:
    """Escape what a terminal would obey, such as a sequence that clears the screen."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def _stands(cause: Mapping[str, Any]) -> str:
    return "\n".join(f"{cause[state]} {state}" for state in _STATES if cause[state])


def _seen(cause: Mapping[str, Any]) -> str:
    first, last = (cause[at].astimezone(UTC).strftime("%Y-%m-%d %H:%M") for at in ("first_seen", "last_seen"))
    return first if first == last else f"{first}\n{last}"


def _pairs(headers: Headers) -> list[list[str | None]]:
    return [[name, readable(text)] for name, text in headers]


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return printable(str(value))
