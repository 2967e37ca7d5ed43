"""`rapport customers`: the record of one, what it was made of, and who is who."""

import typer

from services.profile.cli import accounts, deciding, explaining, reading

app = typer.Typer(
    help="Customers: the record of one, what it was made of, and who is who.",
    epilog="Examples: rapport customers show user_id:u-17 | rapport customers timeline email:eva@example.com --last 5",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(reading.app)
app.add_typer(explaining.app)
app.add_typer(deciding.app)
app.add_typer(accounts.app)


@app.callback()
def customers() -> None:
    """Customers: the record of one, what it was made of, and who is who."""
