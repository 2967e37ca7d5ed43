"""`rapport profile`: what its operators do."""

import typer

app = typer.Typer(help="The profile service: what its operators do.", no_args_is_help=True, add_completion=False)


@app.callback()
def profile() -> None:
    """The profile service: what its operators do."""
