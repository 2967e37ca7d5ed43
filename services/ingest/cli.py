"""`rapport ingest`: who may send, what was refused, why, and its own bytes."""

import os
import sys

import typer

from services.ingest.cli_sources import app as sources
from services.ingest.quarantine.cli import app as quarantine

app = typer.Typer(
    help="Events from outside: who may send, what was refused and why.",
    epilog="Examples: rapport ingest sources add web-shop | rapport ingest quarantine summary",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(quarantine, name="quarantine")
app.add_typer(sources, name="sources")


@app.callback()
def ingest() -> None:
    """Events from outside: who may send, what was refused and why."""


@app.command(epilog="Example: CRM_INGEST_GATEWAY_PORT=8080 rapport ingest gateway")
def gateway() -> None:
    """Take events over HTTP until stopped; `rapport up` starts it too."""
    # This very process becomes it: what stops the command stops the gateway.
    os.execv(sys.executable, [sys.executable, "-m", "services.ingest.gateway"])  # noqa: S606 - our own module


@app.command(epilog="Example: CRM_INGEST_ADMIN_PORT=8090 rapport ingest admin")
def admin() -> None:
    """Serve the admin API until stopped; `rapport up` starts it too."""
    # As above.
    os.execv(sys.executable, [sys.executable, "-m", "services.ingest.admin"])  # noqa: S606 - our own module
