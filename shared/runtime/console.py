"""How our commands speak: people get tables, programs get one JSON document, errors say what to do."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import psycopg
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.runtime.settings import PREFIX, LookupSettings, WrongSettingsError, settings_for

PIPED_WIDTH = 160
"""Columns of a table where no terminal says how wide it is."""


def fail(message: str, code: int = 2) -> NoReturn:
    """End the command: the message goes to standard error, the code is 2 for bad input and 1 for a failed check."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, markup=False)
    raise typer.Exit(code)


def emit(document: Any) -> None:
    """Print one JSON document on standard output."""
    encoder = msgspec.json.Encoder(decimal_format="string")
    sys.stdout.write(msgspec.json.format(encoder.encode(document), indent=2).decode() + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows as a table on standard output; nothing is shown as a dash."""
    drawn = Table(title=title, title_justify="left")
    for column in columns:
        # Ids are there to be copied: a cell that is too long goes on in the next line instead of ending in dots.
        drawn.add_column(column, overflow="fold")
    for row in rows:
        # As it is: what senders wrote may look like markup, and a wrong one would end in a stack trace.
        drawn.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = PIPED_WIDTH
    out.print(drawn)


def records(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Mapping[str, Any]]:
    """Pair rows with their column names, for `emit`."""
    return [dict(zip(columns, row, strict=True)) for row in rows]


def settings_or_fail(service: str) -> LookupSettings:
    """Read where a service's tables are, or end the command: with 1 if nothing runs, with 2 if a setting is wrong."""
    try:
        return settings_for(service, LookupSettings)
    except WrongSettingsError as wrong:
        variables = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", f"{service.upper()}_DATABASE_URL")
        if not any(os.environ.get(f"{PREFIX}{name}") for name in variables):
            # Nobody set anything, so nothing that they set is wrong.
            fail(
                "Nothing runs here: start it with `rapport up` (or `rapport demo --keep`), or set CRM_DATABASE_URL.", 1
            )
        fail(str(wrong))


@contextmanager
def database(service: str) -> Iterator[psycopg.Connection]:
    """Open a read-only connection to a service's schema; a missing server or schema ends the command in words."""
    with _connected(service, " -c default_transaction_read_only=on") as connection:
        yield connection


@contextmanager
def writable_database(service: str) -> Iterator[psycopg.Connection]:
    """Open a connection that may change a service's tables: COMMIT on leaving, ROLLBACK on an error or `fail`."""
    with _connected(service, "") as connection:
        yield connection


@contextmanager
def _connected(service: str, options: str) -> Iterator[psycopg.Connection]:
    settings = settings_or_fail(service)
    try:
        with psycopg.connect(
            settings.database_url.get_secret_value(),
            options=f"-c search_path={service}{options}",
            connect_timeout=5,
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        fail(f"PostgreSQL cannot be used: {reason}\nStart it with `rapport up`, or set CRM_DATABASE_URL.", 1)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        fail(f"The tables of {service} are missing or old. Run `rapport migrate`.", 1)
