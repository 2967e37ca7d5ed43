"""The verbs for a whole stack on this machine: up, status, down, migrate, logs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from shared.cli import logfile
from shared.cli.progress import progress
from shared.cli.report import COLUMNS, look, rows
from shared.contracts.topics import REGISTRY
from shared.local import roots
from shared.local.external import DATABASE_VARIABLE, KAFKA_VARIABLE, place
from shared.local.platform import ADMIN, DEFAULT_LANES, GATEWAY, MAILBOX, PROCESSES, PROFILE_API, Platform
from shared.local.ports import LOOPBACK
from shared.runtime.console import emit, fail, table

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, all else on standard error.")]


STACK = "stack"
"""What `up` can be limited to."""


def up(
    only: Annotated[
        str | None, typer.Option(metavar=STACK, help="Start only Kafka and PostgreSQL, without services.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start Kafka, PostgreSQL, the five services, the gateway and both APIs, and leave them running.

    What runs already is left alone; data of the last time are kept. CRM_KAFKA_BOOTSTRAP_SERVERS, CRM_DATABASE_URL and
    CRM_ENGAGEMENT_SMTP_URL name servers of yours to use instead.
    """
    if only not in (None, STACK):
        fail(f"--only: expected {STACK}, got {only!r}")
    lanes()  # wrong ones are told before anything is started
    platform = roots.own(Path.cwd())
    with progress() as notify:
        if only == STACK:
            platform.stack.up(notify=notify)
        else:
            platform.up(notify=notify)
    _show(platform, as_json=as_json, servers_only=only == STACK)
    if not as_json and only is None:
        typer.echo(f"Mails are kept in {platform.mails}, logs in {platform.root / 'logs'}.", err=True)
        gateway, admin, query = (
            f"http://{LOOPBACK}:{platform.program(name).port}" for name in (GATEWAY, ADMIN, PROFILE_API)
        )
        typer.echo(f"Events are taken at {gateway}: `rapport ingest sources add NAME` makes a write key.", err=True)
        typer.echo(f"The admin API is at {admin}, its key is admin_key in {platform.root / 'secrets.json'}.", err=True)
        typer.echo(f"Customers are read at {query}, with the same key.", err=True)
        typer.echo("Next: `rapport status`, `rapport kpi list`, `rapport down`.", err=True)


def status(as_json: Json = False) -> None:
    """Show each server and service: address, health, process, version. Exit code 1 if one is not well."""
    platform = roots.active(Path.cwd())
    if not _show(platform, as_json=as_json):
        raise typer.Exit(1)


def down() -> None:
    """Stop all that this checkout started, also what a killed command left; data are kept."""
    with progress() as notify:
        for platform in (roots.demo(Path.cwd()), roots.own(Path.cwd())):
            if platform.root.is_dir():
                notify(f"Stopping what runs in {platform.root} …")
                platform.down()


def migrate(
    replication: Annotated[int, typer.Option(min=1, help="Copies of each new topic; one broker holds one.")] = 1,
    as_json: Json = False,
) -> None:
    """Bring schemas and topics to what this version needs; again changes nothing.

    New topics get CRM_LANES partitions. On a stack of this checkout, the services' roles are renewed too.
    """
    # Slow to import, and only needed here.
    from shared.runtime.migrations import migrate_all  # noqa: PLC0415 - as said above
    from shared.runtime.topic_admin import create_topics  # noqa: PLC0415 - as above

    platform = roots.own(Path.cwd())
    addresses = platform.stack.addresses()
    if addresses is None:
        fail(
            "Kafka and PostgreSQL do not run here. Start them with `rapport up --only stack`, "
            f"or set {KAFKA_VARIABLE} and {DATABASE_VARIABLE}.",
            1,
        )
    place(addresses.database_url)  # a wrong one is told in words that do not show it
    with progress() as notify:
        notify("Migrating schemas …")
        services = migrate_all(addresses.database_url)
        notify("Creating topics …")
        topics = create_topics(addresses.kafka, REGISTRY, lanes(), replication)
        if not os.environ.get(DATABASE_VARIABLE):
            notify("Renewing roles …")
            platform.migrate(addresses)
    if as_json:
        emit({"schemas": services, "topics_created": topics})
    else:
        typer.echo(f"Schemas at their newest revision: {', '.join(services)}. Topics created: {len(topics)}.")


def logs(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(('kafka', 'postgres', *PROCESSES, MAILBOX))}.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines from the end to begin with.")] = 50,
) -> None:
    """Show the log of a server or service."""
    known = ("kafka", "postgres", *PROCESSES, MAILBOX)
    if name not in known:
        fail(f"There is no log of {name!r}. Choose one of: {', '.join(known)}.")
    path = roots.active(Path.cwd()).root / "logs" / f"{name}.log"
    if not path.is_file():
        fail(f"{name} has not been started here: there is no {path}. `rapport up` starts it.", 1)
    for line in logfile.lines(path, lines, follow=follow):
        typer.echo(line)


def lanes() -> int:
    """Read CRM_LANES, or end the command saying what is wrong with it."""
    text = os.environ.get("CRM_LANES") or str(DEFAULT_LANES)
    if not text.isascii() or not text.isdigit() or not int(text):
        fail(f"CRM_LANES: expected a number of at least 1, got {text!r}.")
    return int(text)


VERBS: tuple[tuple[Callable[..., None], str], ...] = (
    (up, "rapport up  |  rapport up --only stack  |  rapport up --json"),
    (status, "rapport status  |  rapport status --json"),
    (down, "rapport down"),
    (migrate, "rapport migrate  |  CRM_LANES=24 rapport migrate --replication 3"),
    (logs, "rapport logs profile  |  rapport logs kafka -n 200  |  rapport logs engagement -f"),
)
"""Every verb with its examples."""


def _show(platform: Platform, *, as_json: bool, servers_only: bool = False) -> bool:
    parts = look(platform, servers_only=servers_only)
    healthy = all(part["healthy"] for part in parts)
    if as_json:
        emit({"healthy": healthy, "parts": parts})
    else:
        table(f"Rapport in {roots.title(platform)}", COLUMNS, rows(parts))
    return healthy
