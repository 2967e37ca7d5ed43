"""`rapport engagement`: what was sent, to whom and why not, and campaigns checked and tried out before they run."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.engagement.adapters import postgres_lookup
from services.engagement.campaigns import read_files
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import Contact
from services.engagement.domain.mail import Rendered, render
from services.engagement.domain.permission import Send, Verdict, Wish, may_we_contact
from services.engagement.domain.templates import TemplateError
from shared.contracts.outreach import MessageState
from shared.runtime.console import database, emit, fail, records, table

app = typer.Typer(
    help="Campaigns, and every message sent or not sent.",
    epilog="Examples: rapport engagement campaigns list | rapport engagement messages list --state unknown",
    no_args_is_help=True,
    add_completion=False,
)
messages = typer.Typer(help="The ledger of messages.", no_args_is_help=True)
campaigns = typer.Typer(help="Campaign files.", no_args_is_help=True)
app.add_typer(messages, name="messages")
app.add_typer(campaigns, name="campaigns")

_VARIABLES = ("CRM_ENGAGEMENT_CAMPAIGNS_DIR", "CRM_CAMPAIGNS_DIR")
_MOST = 100_000

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Campaign files.")]


@messages.command(
    "list",
    epilog="Examples: rapport engagement messages list --state unknown | rapport engagement messages list --json",
)
def list_messages(
    state: Annotated[MessageState | None, typer.Option(help="Only messages in this state.")] = None,
    campaign: Annotated[str | None, typer.Option(help="Only messages of this campaign.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="Messages at most, those that changed last.")] = 50,
    as_json: Json = False,
) -> None:
    """List messages, those that changed last first."""
    with database("engagement") as connection:
        rows = postgres_lookup.messages(connection, None if state is None else state.value, campaign, limit)
    if as_json:
        emit({"messages": records(postgres_lookup.LISTED, rows)})
        return
    # Not all columns: a key is long enough already, and `messages show` has the rest.
    lines = [
        (found["key"], found["campaign"], found["state"], found["rule"], found["changed_at"].isoformat(" ", "seconds"))
        for found in records(postgres_lookup.LISTED, rows)
    ]
    table(f"Messages, {len(rows)} that changed last", ("key", "campaign", "state", "rule", "changed at"), lines)


@messages.command("show", epilog="Example: rapport engagement messages show 4b8e…32 digits…")
def show_message(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A message's key, as `messages list` and mails show it.")],
    as_json: Json = False,
) -> None:
    """Show one message: where it stands, why, and its steps."""
    with database("engagement") as connection:
        found = postgres_lookup.message(connection, key)
    if found is None:
        fail(f"There is no message {key!r}. `rapport engagement messages list` shows keys.", 1)
    if as_json:
        emit(found)
        return
    rows = [(name, value) for name, value in found.items() if name != "steps"]
    table(f"Message {key}", ("field", "value"), rows)
    table("Steps", ("at", "what"), [(step["at"], step["type"]) for step in found["steps"]])


@campaigns.command("list", epilog="Example: rapport engagement campaigns list --dir config/campaigns")
def list_campaigns(
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder of campaigns, by default CRM_ENGAGEMENT_CAMPAIGNS_DIR.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the campaigns of a folder."""
    chosen = folder or _configured()
    if not chosen.is_dir():
        fail(f"{chosen} is no folder. Name one with --dir, or set CRM_ENGAGEMENT_CAMPAIGNS_DIR.")
    found = _read(sorted(chosen.glob("*.yaml")))
    columns = ("name", "segment", "on", "channel", "purpose", "from", "expires_after")
    rows = [
        (
            campaign.name,
            campaign.trigger.segment,
            campaign.trigger.on.value,
            campaign.channel.value,
            campaign.purpose,
            campaign.letter.sender.address,
            str(campaign.expires_after),
        )
        for campaign in found.values()
    ]
    if as_json:
        emit({"campaigns": records(columns, rows)})
        return
    table(f"Campaigns of {chosen}", columns, rows)


@campaigns.command("validate", epilog="Example: rapport engagement campaigns validate config/campaigns/*.yaml")
def validate(files: Files, as_json: Json = False) -> None:
    """Check campaign files; exits with 2 and a line `file:line: path: expected …, got …` for each fault."""
    found, faults = read_files(files)
    if as_json and faults:
        emit({"valid": False, "campaigns": sorted(found), "faults": faults})
        raise typer.Exit(2)
    if as_json:
        emit({"valid": True, "campaigns": sorted(found)})
        return
    if faults:
        fail("\n".join(map(str, faults)))
    table("These campaigns can run", ("name",), [(name,) for name in found])


@campaigns.command(
    epilog="Example: rapport engagement campaigns preview config/campaigns/welcome-back.yaml --customer 5f…32 digits…"
)
def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A campaign file.")],
    customer: Annotated[str, typer.Option(help="A customer id: 32 hexadecimal digits.")],
    as_json: Json = False,
) -> None:
    """Render a campaign for one customer and say whether it would be sent; nothing is sent."""
    (campaign,) = _read([file]).values()
    with database("engagement") as connection:
        contact = postgres_lookup.customer(connection, customer)
    if contact is None:
        fail(f"Engagement knows no customer {customer!r}. `rapport customers show` finds a customer's id.", 1)
    now = datetime.now(UTC)
    # Nothing is planned, so no address has to be compared with the one of a plan.
    verdict = may_we_contact(contact, Wish(campaign, now, lambda _address: ""), now)
    rendered = _render(campaign, contact)
    if as_json:
        emit({**_spoken(verdict), "subject": rendered.subject, "text": rendered.text, "html": rendered.html})
        return
    said = _spoken(verdict)
    table("Would it be sent now?", tuple(said), [tuple(said.values())])
    typer.echo(f"Subject: {rendered.subject}\n\n{rendered.text}")


def _render(campaign: Campaign, contact: Contact) -> Rendered:
    try:
        return render(campaign, contact)
    except TemplateError as error:
        fail(f"The template can't be filled in for this customer: {error}.", 1)


def _spoken(verdict: Verdict) -> dict[str, str | None]:
    if isinstance(verdict, Send):
        return {"verdict": "send", "rule": None, "detail": None}
    return {"verdict": "skip", "rule": verdict.rule.value, "detail": verdict.detail or None}


def _read(files: list[Path]) -> dict[str, Campaign]:
    found, faults = read_files(files)
    if faults:
        fail("\n".join(map(str, faults)))
    return found


def _configured() -> Path:
    return Path(next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "config/campaigns"))
