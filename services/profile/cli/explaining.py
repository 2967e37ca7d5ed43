"""`rapport customers explain`: why these identities are one person, and what was left out."""

from collections.abc import Sequence

import typer

from services.profile import explaining
from services.profile.adapters.rule_files import WrongRulesError, identity_rules
from services.profile.cli.asking import Json, Who
from services.profile.cli.deciding import named, settings_or_end
from services.profile.cli.portraits import when
from services.profile.domain.planning import RefusedError
from services.profile.explaining import Decided, Event, Explanation
from shared.contracts.identities import IdentityRef
from shared.runtime.console import emit, fail, table
from shared.runtime.errors import StaleStateError

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: rapport customers explain user_id:u-17 | rapport customers explain user_id:u-17 --json")
def explain(who: Who, as_json: Json = False) -> None:
    """Show why identities are one customer: each link with the event or decision that made it, and what was left out.

    Nothing of this changes anything; `unmerge`, `split` and `block` do.
    """
    (person,) = named([who])
    settings = settings_or_end()
    try:
        rules = identity_rules(settings.identity_rules)
        found = explaining.explain(settings.database_url.get_secret_value(), rules, person.id)
    except RefusedError as refused:
        fail(str(refused), 1)
    except WrongRulesError as wrong:
        fail(str(wrong))
    except StaleStateError:
        fail("The customer is changing right now. Give the command again.", 1)
    if as_json:
        emit(found)
    else:
        _show(found)


def _show(found: Explanation) -> None:
    names = ", ".join(map(_name, found.identities))
    typer.echo(f"Customer {found.customer_id}: {names}")
    if found.waiting:
        typer.echo("So many were named together that the clock resolves them once a minute; this is what will hold.")
    if found.held:
        rows = [
            (_name(one.one), _name(one.other), one.reason.value, _event(one.event), _decision(one.decision))
            for one in found.held
        ]
        table("What holds them together", ("one", "other", "by", "first event", "decision"), rows)
    else:
        typer.echo("No link holds it: it is one identity.")
    if found.left_out:
        left: list[Sequence[object]] = [
            (_name(one.one), _name(one.other), one.words, _event(one.event), _decision(one.decision))
            for one in found.left_out
        ]
        table("What was left out", ("one", "other", "why", "first event", "decision"), left)
    if found.more_left_out:
        typer.echo(f"And {found.more_left_out} more.")


def _name(ref: IdentityRef) -> str:
    return f"{ref.kind} {ref.value}"


def _event(event: Event | None) -> str | None:
    if event is None:
        return None
    return f"{event.name or 'event'} {event.message_id} from {event.source}, {when(event.at)}"


def _decision(made: Decided | None) -> str | None:
    if made is None:
        return None
    why = f": {made.why}" if made.why else ""
    return f"{made.kind} by {made.who}, {when(made.at)}{why}"
