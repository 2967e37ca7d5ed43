"""`rapport`: the verbs of a stack, and the subcommands that services bring, each loaded only when chosen."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, NoReturn

import typer

from shared.cli.subcommands import BrokenCommandError, Subcommand, subcommands
from shared.cli.where import fill_environment

VERBS = ("up", "status", "down", "migrate", "logs")
INTERRUPTED = 130
"""What shells report for a command that Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit: 0 done, 1 failed, 2 wrongly asked, 130 interrupted; errors are said in words."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _dispatch(given)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, say `head`: not an error, but nothing may be flushed to it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last line of defence: nobody is shown a stack trace
        _explain(error)
        sys.exit(1)
    sys.exit(0)


def _dispatch(given: list[str]) -> None:
    available = subcommands()
    chosen = available.get(given[0]) if given else None
    if chosen is None or chosen.name in VERBS:
        _root(available)(args=given, prog_name="rapport")
        return
    if chosen.name != "demo":  # which starts a stack of its own
        fill_environment()
    app = chosen.load()
    app.pretty_exceptions_enable = False
    app(args=given[1:], prog_name=f"rapport {chosen.name}")


def _root(available: Mapping[str, Subcommand]) -> typer.Typer:
    app = typer.Typer(
        name="rapport",
        help="Event-driven CRM: interaction events on Kafka become customer records, segments, outreach and KPIs.",
        epilog="Examples:  rapport demo  |  rapport up  |  rapport status  |  rapport kpi list",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    # Slow to import, so only for the root's own verbs and its help.
    from shared.cli.verbs import VERBS as OWN  # noqa: PLC0415 - as said above

    for verb, examples in OWN:
        app.command(epilog=f"Examples:  {examples}")(verb)
    for name, command in sorted(available.items()):
        if name not in VERBS:
            # For the list in --help alone: whoever names one is dispatched before typer is asked.
            app.command(name, help=command.help, rich_help_panel="Commands of the services")(_placeholder)
    return app


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - for this option alone

        typer.echo(f"rapport {version('rapport-crm')}")
        raise typer.Exit


def _options(
    version: Annotated[  # noqa: ARG001 - its callback does all
        bool, typer.Option("--version", callback=_print_version, help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None:
    return


def _placeholder() -> None:
    raise AssertionError("dispatched before typer is asked")


def _explain(error: Exception) -> None:
    from shared.local.errors import LocalStackError  # noqa: PLC0415 - slow to import, for an error alone
    from shared.runtime.errors import RapportError  # noqa: PLC0415 - as above

    if isinstance(error, BrokenCommandError | LocalStackError | RapportError):
        typer.echo(f"Error: {error}", err=True)
        return
    typer.echo(
        f"Error: {type(error).__name__}: {error}\nThat should not have happened: please report it. "
        "CRM_DEBUG=1 shows where it came from.",
        err=True,
    )
    if os.environ.get("CRM_DEBUG"):
        import traceback  # noqa: PLC0415 - as above

        traceback.print_exception(error)
