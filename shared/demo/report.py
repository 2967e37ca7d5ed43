"""What a run looks like: tables for people on standard output, or one JSON object for programs."""

import email
import mailbox
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from email import policy
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from shared.demo.checks import Check
from shared.demo.gateway import Entrance
from shared.demo.person import CUSTOMER
from shared.demo.run import Result
from shared.local.platform import PROCESSES, Platform

SHOWN: tuple[tuple[str, ...], ...] = (
    ("segments", "list"),
    ("kpi", "show", "monthly_revenue"),
    ("kpi", "show", "new_customers"),
)
PERSON: tuple[tuple[str, ...], ...] = (
    ("customers", "explain", CUSTOMER),
    ("customers", "show", CUSTOMER),
    ("customers", "timeline", CUSTOMER, "--last", "8"),
)
"""One customer, all around: which identities and why, what is known, what was done."""


def as_json(result: Result) -> str:
    """Render a run as one JSON object."""
    found = asdict(result.found)
    document = {
        **found,
        "seconds": result.seconds,
        "events": result.events,
        "events_per_second": result.events_per_second,
        "gateway": {
            "address": result.entrance.address,
            "write_key": result.entrance.key,
            "requests": result.pace.requests,
            "requests_per_second": result.pace.requests_per_second,
        },
        "checks": [asdict(check) for check in result.checks],
        "ok": result.holds,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def show(result: Result, platform: Platform) -> None:
    """Print a run for people: segments, KPIs, a mail and one customer as the product's own commands show them."""
    console = Console(highlight=False)
    _products(SHOWN, console, platform)
    console.print("\n[bold]A mail, as the mail server took it[/bold]")
    console.print(first_mail(platform.mails), markup=False)
    console.print(_speed(result))
    console.print(_checks(result.checks))
    for command, said in result.undone.said:
        _prompt(command, console)
        console.print(said.rstrip(), markup=False, soft_wrap=True)
    _products(PERSON, console, platform)
    console.print(
        f"\nIt came in at {result.entrance.address}, with the write key {result.entrance.key}", soft_wrap=True
    )


def where_to_look(platform: Platform, result: Result) -> str:
    """Say what of a kept demo is where."""
    lines = [
        f"Kafka          {result.addresses.kafka}",
        "PostgreSQL     "
        + result.addresses.database_url.rpartition("@")[2]
        + " (rapport status; password in .rapport)",
    ]
    lines += [f"{name:<14} http://{platform.program(name).pages}/metrics  /livez  /readyz" for name in PROCESSES]
    lines += [
        f"mails          {platform.mails}",
        f"events are taken at {result.entrance.address} with the write key {result.entrance.key}",
        f"Send one: {curl(result.entrance)}",
        "Look: rapport status | rapport ingest quarantine summary | rapport kpi list | rapport down",
    ]
    return "\n".join(lines)


def curl(entrance: Entrance) -> str:
    """Write the command that sends one event."""
    event = '{"userId": "cdnow-00004", "event": "Product Viewed", "properties": {"product_id": "p-1"}}'
    return f"curl -u {entrance.key}: {entrance.address}/v1/track -d '{event}'"


def first_mail(folder: Path) -> str:
    """Return the first mail's headers and text; what to say when there is none."""
    for kept in mailbox.Maildir(folder, create=False).values() if folder.is_dir() else ():
        message = email.message_from_bytes(kept.as_bytes(), policy=policy.default)
        headers = "\n".join(f"{name}: {message[name]}" for name in ("From", "To", "Subject", "Date"))
        body = message.get_body(("plain",))
        return f"{headers}\n\n{body.get_content() if body is not None else ''}"
    return "(none)"


def _products(commands: Sequence[Sequence[str]], console: Console, platform: Platform) -> None:
    for command in commands:
        _prompt(command, console)
        _product(command, platform)


def _prompt(command: Sequence[str], console: Console) -> None:
    console.print(f"\n$ rapport {shlex.join(command)}", style="bold", markup=False, soft_wrap=True)
    console.file.flush()


def _product(command: Sequence[str], platform: Platform) -> None:
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "shared.cli", *command], env={**os.environ, **platform.variables()}, check=False
    )


def _checks(found: Sequence[Check]) -> Table:
    table = Table(title="Checks against the published totals", title_justify="left")
    for column in ("", "check", "expected", "found"):
        table.add_column(column)
    for check in found:
        table.add_row("[green]ok[/]" if check.holds else "[red]differs[/]", check.name, check.expected, check.found)
    return table


def _speed(result: Result) -> Table:
    table = Table(title="Speed", title_justify="left")
    table.add_column("what")
    table.add_column("figure")
    table.add_row("events all the way", f"{result.events:,} at {result.events_per_second:,} a second")
    table.add_row("over HTTP", f"{result.pace.requests:,} requests, {result.pace.requests_per_second:,} a second")
    for name, seconds in result.seconds.items():
        table.add_row(f"phase {name}", f"{seconds:g} s")
    for name, percentiles in (
        ("event to segment change", result.found.latency_seconds),
        ("clock lateness", result.found.clock_lateness_seconds),
    ):
        table.add_row(name, "  ".join(f"{p} {seconds:g} s" for p, seconds in percentiles.items()))
    return table
