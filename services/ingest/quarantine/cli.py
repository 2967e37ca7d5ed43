"""`rapport ingest quarantine`: what was refused and why, mended, replayed or discarded."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.ingest.domain.causes import CAUSE
from services.ingest.domain.mending import BadPatch, Patch, read_patch
from services.ingest.domain.problems import Reason
from services.ingest.quarantine import cli_replay, showing
from services.ingest.quarantine.discarding import LONGEST_REASON, discard
from services.ingest.quarantine.fixing import EXAMPLES, Mode, Order, Origin, fix
from services.ingest.quarantine.judging import judging_reader
from services.ingest.quarantine.looking import Wanted, listed, shown, summary
from services.ingest.quarantine.selecting import MENDABLE, Everything, Named, OfCause, Scope, State, extent
from shared.runtime.console import database, emit, fail, writable_database

app = typer.Typer(
    help="Events that were refused: by cause, mended by a patch, replayed, or discarded.",
    epilog="Examples: rapport ingest quarantine summary | rapport ingest quarantine replay",
    no_args_is_help=True,
    add_completion=False,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
GroupOption = Annotated[str | None, typer.Option("--group", help="Only this group: the cause that `summary` shows.")]
IdsOption = Annotated[list[int] | None, typer.Option("--id", min=1, help="Only this event; may be given repeatedly.")]


@app.command("summary", epilog="Examples: rapport ingest quarantine summary | rapport ingest quarantine summary --json")
def show_summary(as_json: JsonOption = False) -> None:
    """Count what is open, by cause: the same thing wrong, at the same place, from the same source."""
    with database("ingest") as connection:
        causes = summary(connection)
    if as_json:
        emit(causes)
    else:
        showing.summary(causes)


@app.command(
    "list",
    epilog="Examples: rapport ingest quarantine list --reason not_a_number | rapport ingest quarantine list --json",
)
def list_entries(
    group: GroupOption = None,
    reason: Annotated[Reason | None, typer.Option(help="Only events refused for this reason.")] = None,
    state: Annotated[State | None, typer.Option(help="Only this state; by default all that are not settled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Events at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List refused events, newest first."""
    wanted = Wanted(
        None if group is None else cause_or_fail(group),
        None if reason is None else reason.value,
        None if state is None else state.value,
    )
    with database("ingest") as connection:
        rows = listed(connection, wanted, limit)
    if as_json:
        emit(rows)
    else:
        showing.entries(rows)


@app.command("show", epilog="Example: rapport ingest quarantine show 12")
def show_entry(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The id that `list` shows.")],
    as_json: JsonOption = False,
) -> None:
    """Show one refused event with its own bytes and headers, and as it was mended."""
    with database("ingest") as connection:
        found = shown(connection, number)
    if found is None:
        fail(
            f"There is no entry {number} in the quarantine. `rapport ingest quarantine list` shows those there are.", 1
        )
    if as_json:
        emit(found)
    else:
        showing.entry(found)


@app.command(
    "fix",
    epilog="Examples: rapport ingest quarantine fix --group 3f2a90c1d7be --patch mend.json --dry-run | "
    """echo '[{"op": "remove", "path": "/properties/total"}]' | """
    "rapport ingest quarantine fix --group 3f2a90c1d7be --patch -",
)
def fix_group(
    group: Annotated[str, typer.Option("--group", help="The cause that `summary` shows.")],
    patch: Annotated[str, typer.Option("--patch", help="A file with a JSON Patch (RFC 6902), or - to read it here.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would come of it.")] = False,
    from_original: Annotated[
        bool, typer.Option("--from-original", help="Patch the event as it was sent, not as it was mended before.")
    ] = False,
    examples: Annotated[int, typer.Option(min=0, max=1000, help="Events to show before and after.")] = EXAMPLES,
    as_json: JsonOption = False,
) -> None:
    """Mend every event of a group by a JSON Patch, beside the original; paths are those that `summary` shows.

    Exits with 1 when some of them would still be refused.
    """
    order = Order(
        cause_or_fail(group),
        _patch(patch),
        Origin.ORIGINAL if from_original else Origin.MENDED,
        Mode.DRY_RUN if dry_run else Mode.KEEP,
        examples,
    )
    with writable_database("ingest") as connection, showing.bar("Mending", as_json=as_json) as bar:
        report = fix(connection, judging_reader(connection), order, actor(), lambda far: bar(far.done, far.entries))
    if not report.entries:
        fail(f"No event of group {group} is open. `rapport ingest quarantine summary` shows the groups there are.", 1)
    if as_json:
        emit(showing.fix_document(order, report))
    else:
        showing.fixed(order, report)
    if report.failing:
        raise typer.Exit(1)


@app.command(
    "replay",
    epilog="Examples: rapport ingest quarantine replay --group 3f2a90c1d7be | "
    "rapport ingest quarantine replay --id 12 --id 14 --json",
)
def replay(
    group: GroupOption = None,
    ids: IdsOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send also what was sent before and was not read yet, say by a lost topic.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Leave once Kafka has everything.")] = False,
    wait_seconds: Annotated[
        float, typer.Option(min=1, max=86_400, help="How long to wait while ingest reads nothing of it.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Send open and mended events in again; the result is as if they had never been wrong.

    What would be refused as it is stays where it is. A replay that was stopped goes on when it is given again; nothing
    counts twice. Exits with 1 when something was refused or is left.
    """
    patience = None if no_wait else wait_seconds
    cli_replay.replay(_scope(group, ids), actor(), again=again, patience=patience, as_json=as_json)


@app.command(
    "discard",
    epilog='Examples: rapport ingest quarantine discard --group 3f2a90c1d7be --reason "load test of May" | '
    'rapport ingest quarantine discard --id 12 --reason "sent by mistake"',
)
def discard_events(
    reason: Annotated[
        str, typer.Option("--reason", help="Why nobody will mend them; kept with each and in the audit.")
    ],
    group: GroupOption = None,
    ids: IdsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set events aside for good: they keep their bytes, and are open no more."""
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON or not said.isprintable():
        fail(f"--reason: expected 1 to {LONGEST_REASON} printable characters")
    scope = _scope(group, ids)
    if isinstance(scope, Everything):
        fail("Say which: --group GROUP or --id ID.")
    with writable_database("ingest") as connection:
        meant = extent(connection, scope, MENDABLE)
        connection.rollback()
        discarded = discard(connection, scope, said, actor())
    if not meant.entries:
        fail("None of these is open. `rapport ingest quarantine list` shows those that are.", 1)
    if as_json:
        emit({"discarded": discarded})
    else:
        typer.echo(f"{discarded} events were discarded.")


def actor() -> str:
    """Name who gives the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        return "cli"


def cause_or_fail(group: str) -> str:
    """Check that a text may name a group, or end the command."""
    if not CAUSE.fullmatch(group):
        fail("--group: expected the 12 digits of a group that `rapport ingest quarantine summary` shows")
    return group


def _scope(group: str | None, ids: list[int] | None) -> Scope:
    if group is not None and ids:
        fail("Give --group or --id, not both.")
    if ids:
        if max(ids) > 2**63 - 1:
            fail("--id: no number of an entry is as great as that")
        return Named(tuple(sorted(set(ids))))
    return Everything() if group is None else OfCause(cause_or_fail(group))


def _patch(name: str) -> Patch:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        fail(f"--patch: {name} cannot be read: {error.strerror}")
    patch = read_patch(data)
    if isinstance(patch, BadPatch):
        fail(f"--patch: {name}: {patch.why}")
    return patch
