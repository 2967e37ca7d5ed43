"""`rapport demo`: everything at once on real servers, with an exit code that says whether all of it was right."""

import asyncio
import os
import sys
from pathlib import Path

import typer

from shared.demo.cdnow import MissingDataError
from shared.demo.gateway import GatewayRefusedError
from shared.demo.person import CommandFailedError
from shared.demo.progress import Narrator
from shared.demo.report import as_json, show, where_to_look
from shared.demo.run import run
from shared.demo.settling import NotSettledError
from shared.local import roots
from shared.local.errors import LocalStackError
from shared.local.stack import STACK_VARIABLE
from shared.runtime.errors import RapportError

app = typer.Typer(help="Replay 69,659 real orders through all of Rapport and check every total.", add_completion=False)

EXAMPLES = """Examples:

  rapport demo

  rapport demo --keep     leaves everything running; `rapport down` ends it

  rapport demo --json     one JSON object on standard output, all else on standard error
"""


@app.callback(invoke_without_command=True, epilog=EXAMPLES)
def demo(
    keep: bool = typer.Option(False, "--keep", help="Leave it running and print where everything is."),
    as_object: bool = typer.Option(False, "--json", help="Print one JSON object; all else goes to standard error."),
) -> None:
    """Start a real Kafka, a real PostgreSQL and the five services, send CDNOW's orders over HTTP, check every total.

    Uses fresh data of its own under .rapport/demo. Exits with 1 when a check fails.
    """
    # Fresh data means servers of its own: only where they come from may be chosen, not which.
    chosen = {name: value for name, value in os.environ.items() if name == STACK_VARIABLE}
    platform = roots.demo(Path.cwd(), environment=chosen)
    narrator = Narrator()
    kept = False
    try:
        result = asyncio.run(run(platform, narrator))
        if as_object:
            sys.stdout.write(as_json(result) + "\n")
        else:
            show(result, platform)
        if keep:
            kept = True
            narrator.say(where_to_look(platform, result))
    except (
        MissingDataError, GatewayRefusedError, NotSettledError, CommandFailedError, LocalStackError, RapportError,
    ) as error:  # fmt: skip
        narrator.say(str(error))
        raise typer.Exit(1) from None
    finally:
        if not kept:
            platform.down()
    if not result.holds:
        narrator.say("Some checks do not hold.")
        raise typer.Exit(1)
