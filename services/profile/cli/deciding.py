"""Deciding who is one person: merge, unmerge, split, block and unblock, each looked at before; and the audit."""

import getpass
import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated

import msgspec
import typer

from services.profile import deciding
from services.profile.adapters import postgres_decisions, postgres_lookup
from services.profile.adapters.postgres_lookup import WANTED, Decision
from services.profile.adapters.rule_files import WrongRulesError, identity_rules
from services.profile.cli.asking import Json, Who, find_one, say, stages
from services.profile.cli.portraits import when
from services.profile.deciding import Becoming, Preview, Recorded
from services.profile.domain import planning
from services.profile.domain.planning import Choice, RefusedError
from services.profile.settings import DecidingSettings
from shared.contracts.identities import IdentityRef
from shared.runtime.console import database, emit, fail, table, writable_database
from shared.runtime.errors import StaleStateError
from shared.runtime.settings import WrongSettingsError, settings_for

app = typer.Typer(add_completion=False)

_ID = re.compile(r"[0-9a-fA-F]{32}")
_LONGEST_REASON = 1000
_MOST_SHOWN = 12

Other = Annotated[str, typer.Argument(metavar="ID|KIND:VALUE", help="The other one, named likewise.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is kept with the decision.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what it would do.")]
Wait = Annotated[float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait until profile has applied it.")]


@app.command(
    epilog='Examples: rapport customers merge user_id:u-17 email:eva@example.com --why "same passport" | '
    "rapport customers merge user_id:u-17 user_id:u-18 --dry-run",
)
def merge(
    who: Who,
    other: Other,
    why: Why = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = 30.0,
    as_json: Json = False,
) -> None:
    """Make two customers one, whatever the limits are; `unmerge` takes it back without a trace in either record."""
    one, two = named([who, other])
    _decide(planning.merge(one.id, two.id), [one, two], _Manner(why, yes, dry_run, wait, as_json))


@app.command(
    epilog="Examples: rapport customers unmerge user_id:u-17 | "
    "rapport customers unmerge user_id:u-17 email:eva@example.com | "
    "rapport customers unmerge --decision 0a1b2c3d4e5f60718293a4b5c6d7e8f9",
)
def unmerge(
    who: Annotated[str | None, typer.Argument(metavar="[ID|KIND:VALUE]", help="One of the two.")] = None,
    other: Annotated[str | None, typer.Argument(metavar="[ID|KIND:VALUE]", help="The other one.")] = None,
    decision: Annotated[str | None, typer.Option(help="The id of a merge, instead of names.")] = None,
    why: Why = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = 30.0,
    as_json: Json = False,
) -> None:
    """Take back the last merge by hand that holds a customer, or two of its identities, together.

    If nobody merged the two, what events linked between them is kept apart from now on.
    """
    manner = _Manner(why, yes, dry_run, wait, as_json)
    if (decision is None) is (who is None):
        fail("Name one or two identities of the customer, or a merge by --decision ID.")
    if decision is not None:
        people = _merged(decision)
        _decide(planning.undo(_plain(decision), [one.id for one in people]), people, manner)
        return
    people = named([name for name in (who, other) if name is not None])
    _decide(planning.unmerge(people[0].id, people[1].id if other is not None else None), people, manner)


@app.command(epilog="Example: rapport customers split user_id:u-17 anonymous_id:an-4 --why 'the tablet in the hall'")
def split(
    who: Who,
    leaving: Annotated[list[str], typer.Argument(metavar="IDENTITY...", help="Who leaves: ids, or KIND:VALUE.")],
    why: Why = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    wait: Wait = 30.0,
    as_json: Json = False,
) -> None:
    """Let identities leave a customer: each link between them and those who stay is void, also for events to come."""
    stays, *others = named([who, *leaving])
    choice = planning.split(stays.id, [one.id for one in others])
    _decide(choice, [stays, *others], _Manner(why, yes, dry_run, wait, as_json))


@app.command(epilog="Example: rapport customers block email:till@shop.example --why 'typed in at every till'")
def block(
    who: Who, why: Why = "", yes: Yes = False, dry_run: DryRun = False, wait: Wait = 30.0, as_json: Json = False
) -> None:
    """Let an identity stand for nobody: it links no others; what was done by it alone stays its own."""
    people = named([who])
    _decide(planning.block(people[0].id, blocked=True), people, _Manner(why, yes, dry_run, wait, as_json))


@app.command(epilog="Example: rapport customers unblock email:till@shop.example")
def unblock(
    who: Who, why: Why = "", yes: Yes = False, dry_run: DryRun = False, wait: Wait = 30.0, as_json: Json = False
) -> None:
    """Let an identity that was blocked link others again, as its events say."""
    people = named([who])
    _decide(planning.block(people[0].id, blocked=False), people, _Manner(why, yes, dry_run, wait, as_json))


@app.command(epilog="Examples: rapport customers decisions | rapport customers decisions user_id:u-17 --json")
def decisions(
    who: Annotated[str | None, typer.Argument(metavar="[ID|KIND:VALUE]", help="Of one customer alone.")] = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest ones.")] = 50,
    as_json: Json = False,
) -> None:
    """Show who decided what about who is one person, when, why, and whether it was applied."""
    with database("profile") as connection:
        if who is None:
            made = postgres_decisions.recent(connection, last)
        else:
            members = postgres_lookup.members(connection, find_one(connection, who))
            made = postgres_lookup.decisions(connection, members)[:last]
    if as_json:
        emit(made)
        return
    table(
        "Decisions",
        ("id", "decided", "kind", "who", "why", "identities", "undoes", "applied"),
        [
            (
                _plain(one.id),
                when(one.decided_at),
                one.kind,
                one.who,
                one.why or None,
                "\n".join(one.identities),
                None if one.undoes is None else _plain(one.undoes),
                _when_applied(one),
            )
            for one in made
        ],
    )


def _when_applied(made: Decision) -> str | None:
    if made.applied_at is None:
        return "not yet"
    return "refused" if "refused" in made.result else when(made.applied_at)


class _Manner(msgspec.Struct, frozen=True):
    why: str
    yes: bool
    dry_run: bool
    wait: float
    as_json: bool


def _decide(choice: Choice, people: Sequence[IdentityRef], manner: _Manner) -> None:
    if len(manner.why) > _LONGEST_REASON or not (manner.why == "" or manner.why.isprintable()):
        fail(f"--why: expected at most {_LONGEST_REASON} printable characters")
    settings = settings_or_end()
    try:
        rules = identity_rules(settings.identity_rules)
        url = settings.database_url.get_secret_value()
        looked = deciding.preview(url, rules, [one.id for one in people], choice, stages())
    except RefusedError as refused:
        fail(str(refused), 1)
    except WrongRulesError as wrong:
        fail(str(wrong))
    except StaleStateError:
        fail("The customer is changing right now. Give the command again.", 1)
    if manner.dry_run or not manner.as_json:
        _show(looked, as_json=manner.as_json)
    if manner.dry_run:
        return
    if not manner.yes:
        _confirm(looked)
    with writable_database("profile") as connection:
        recorded = deciding.record(connection, looked, actor(), manner.why)
    with database("profile") as connection:
        connection.autocommit = True
        recorded = deciding.wait(lambda: nullcontext(connection), recorded, manner.wait)
        idle = recorded.applied is None and not postgres_decisions.workers(connection)
    _told(recorded, idle=idle, as_json=manner.as_json)


def _confirm(looked: Preview) -> None:
    try:
        sure = typer.confirm(f"Do this ({looked.kind})?", err=True)
    except typer.Abort:
        fail("Nothing was decided: nobody was there to be asked. Give --yes.")
    if not sure:
        fail("Nothing was decided.", 1)


def _told(recorded: Recorded, *, idle: bool, as_json: bool) -> None:
    if as_json:
        emit(recorded)
    elif recorded.applied is not None and recorded.applied.refused is None:
        typer.echo(f"Done: decision {recorded.id}.")
    if recorded.applied is not None and recorded.applied.refused is not None:
        fail(f"Decision {recorded.id} was refused: {recorded.applied.refused}", 1)
    if recorded.applied is None:
        hint = "no worker of profile is connected (`rapport up`)" if idle else "profile has other work before it"
        fail(f"Decision {recorded.id} is written down and not applied yet: {hint}. It will be, by itself.", 1)


def _show(looked: Preview, *, as_json: bool) -> None:
    if as_json:
        emit(looked)
        return
    if not looked.customers:
        say("This would change nobody's customer.")
    else:
        table(
            f"After this {looked.kind}",
            ("customer id", "identities", "orders", "lifecycle", "last activity"),
            [_line(one) for one in looked.customers],
        )
    say(f"{looked.identities_moved} identities would move, with {looked.activities_moved} activities.")
    for over in looked.exceeded:
        say(f"Over a limit: {over.customer_id} would have {over.count} of {over.kind}, the rules allow {over.limit}.")
    if looked.kind in ("unmerge", "split") and not looked.parted:
        say("They would still be one customer, by other links: `rapport customers explain` shows which.")


def _line(one: Becoming) -> Sequence[object]:
    names = [f"{ref.kind} {ref.value}" for ref in one.identities[:_MOST_SHOWN]]
    if len(one.identities) > _MOST_SHOWN:
        names.append(f"and {len(one.identities) - _MOST_SHOWN} more")
    record = one.record
    if record is None:
        return one.customer_id, "\n".join(names), None, None, None
    orders = 0 if record.orders is None else record.orders.count
    return one.customer_id, "\n".join(names), orders, record.lifecycle.value, when(record.last_at)


def named(wanted: Sequence[str]) -> list[IdentityRef]:
    """Find the identities that are meant, or end the command in words."""
    settings = settings_or_end()
    with database("profile") as connection:
        people = []
        for who in wanted:
            if WANTED.fullmatch(who) is None:
                fail(f"{who!r} names nobody: expected 32 hexadecimal digits, or KIND:VALUE such as user_id:u-17.")
            found = postgres_decisions.named(connection, who, settings.secret)
            if not found:
                fail(f"Nobody was seen with {who}. Is it spelt as it was sent?", 1)
            people.append(found[0])
    if len({one.id for one in people}) < len(people):
        fail("Two of these are the same identity.")
    return people


def _merged(decision: str) -> list[IdentityRef]:
    if _ID.fullmatch(_plain(decision)) is None:
        fail("--decision: expected the 32 digits of a decision, as `rapport customers decisions` shows them")
    with database("profile") as connection:
        pair = postgres_decisions.merged_by(connection, decision)
        if pair is None:
            fail(f"There is no merge {decision}. `rapport customers decisions` lists what was decided.", 1)
        return [one for name in pair for one in postgres_decisions.named(connection, name, None)]


def _plain(decision: str) -> str:
    return decision.replace("-", "").lower()


def settings_or_end() -> DecidingSettings:
    """Read the settings, or end the command in words."""
    try:
        return settings_for("profile", DecidingSettings)
    except WrongSettingsError as wrong:
        fail(str(wrong))


def actor() -> str:
    """Name who gives the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):
        return "cli"
