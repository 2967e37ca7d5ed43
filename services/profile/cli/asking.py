"""How the commands about customers are asked about one: by id, or by any identifier that it was seen with."""

import sys
from typing import Annotated

import psycopg
import typer

from services.profile.adapters import postgres_lookup
from services.profile.adapters.postgres_lookup import WANTED, Customer
from services.profile.adapters.rule_files import WrongRulesError, lifecycle_stages
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.settings import NamingSettings, StagesSettings
from shared.runtime.console import fail
from shared.runtime.settings import WrongSettingsError, settings_for

Who = Annotated[
    str,
    typer.Argument(
        metavar="ID|KIND:VALUE",
        help="A customer id (32 hexadecimal digits), or any identifier the customer was seen with.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def find_one(connection: psycopg.Connection, who: str) -> Customer:
    """Find the one customer that is meant, or end the command in words."""
    if WANTED.fullmatch(who) is None:
        fail(f"{who!r} names no customer: expected 32 hexadecimal digits, or KIND:VALUE such as user_id:u-17.")
    found = postgres_lookup.find(connection, who, _secret())
    if not found:
        fail(
            f"No customer was seen with {who}. Is it spelt as it was sent? Addresses are in lower case. "
            "If it is: is CRM_IDENTITY_SECRET the one that ingest has?"
            if ":" in who
            else f"There is no customer with the id {who}.",
            1,
        )
    if len(found) > 1:
        ids = "\n".join(f"  {customer.customer_id}" for customer in found)
        fail(f"{len(found)} customers were seen with {who}; choose one by id:\n{ids}")
    return found[0]


def stages() -> Stages:
    """Read the stages of the lifecycle that records are drawn by; without a file where it would be, the usual ones."""
    try:
        path = settings_for("profile", StagesSettings).lifecycle_stages
        usual = path == StagesSettings.model_fields["lifecycle_stages"].default
        return USUAL if usual and not path.exists() else lifecycle_stages(path)
    except (WrongSettingsError, WrongRulesError) as wrong:
        fail(str(wrong))


def say(words: str) -> None:
    """Tell people something beside the answer."""
    sys.stderr.write(f"{words}\n")


def _secret() -> bytes | None:
    try:
        return settings_for("profile", NamingSettings).secret
    except WrongSettingsError as wrong:
        fail(str(wrong))
