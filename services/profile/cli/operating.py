"""`rapport profile`: what its operators do."""

import typer

from services.profile.cli import rebuilding

app = typer.Typer(
    help="The profile service: what its operators do.",
    epilog="Examples: rapport profile check | rapport profile rebuild",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(rebuilding.app)


@app.callback()
def profile() -> None:
    """The profile service: what its operators do."""


@app.command(epilog="Example: CRM_PROFILE_API_PORT=8090 rapport profile api")
def api() -> None:
    """Serve the query API in the foreground until a signal; `rapport up` runs one as profile-api."""
    # FastAPI takes half a second to import, which no other command should pay for.
    from services.profile.query.app import main  # noqa: PLC0415 - as said above

    main()
