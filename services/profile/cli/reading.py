"""Reading customers: the record of one, what it was made of, and who is known by a name or an address."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from services.profile import answering, cursors
from services.profile.adapters.postgres_timeline import Entry
from services.profile.answering import Whole
from services.profile.cli.asking import Json, Who, find_one, say, stages
from services.profile.cli.portraits import lines_of, one_line, when
from services.profile.cursors import BadCursorError
from services.profile.domain.finding import wanted
from shared.contracts.catalogue import Family
from shared.runtime.console import database, emit, fail, table

app = typer.Typer(add_completion=False)

T = TypeVar("T")

_MOST = 10_000
Last = Annotated[int, typer.Option(min=1, max=_MOST, help="At most so many, the newest ones.")]
CursorOption = Annotated[str | None, typer.Option(help="Go on where a page ended: the `next` that it gave.")]


@app.command(
    epilog="Examples: rapport customers show user_id:u-17 | rapport customers show email:eva@example.com --json",
)
def show(who: Who, as_json: Json = False) -> None:
    """Show all that is known of a customer."""
    with database("profile") as connection:
        answer = answering.whole(connection, find_one(connection, who), who, stages())
    if as_json:
        emit(answer)
        return
    _tell_redirect(answer)
    table("Customer", ("what", "value", "from", "at"), lines_of(answer))


@app.command(epilog="Examples: rapport customers search muster | rapport customers search eva@example.com --json")
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The beginning of a name, address, number or id.")],
    last: Annotated[int, typer.Option("--most", min=1, max=1000, help="At most so many.")] = 25,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """Find customers by name, e-mail address, phone number or user id: what begins so first, then what is similar."""
    if not wanted(text):
        fail("TEXT: expected something that can be written in a name, an address, a number or an id.")
    with database("profile") as connection:
        answer = answering.search(connection, text, last, _cursor(cursor, cursors.hit), stages())
    if as_json:
        emit(answer)
        return
    table(
        f"Customers known by {text!r}",
        ("customer id", "name", "addresses", "lifecycle", "last activity", "found by"),
        [
            (one.customer_id, one.name, ", ".join(one.addresses), one.lifecycle.value, when(one.last_at), one.matched)
            for one in answer.customers
        ],
    )
    if answer.waiting:
        say(f"{answer.waiting} changes cannot be found by yet; profile-api (`rapport up`) takes them in.")
    _tell_next(answer.next)


@app.command(
    epilog="Examples: rapport customers timeline user_id:u-17 | rapport customers timeline user_id:u-17 --family order",
)
def timeline(
    who: Who,
    family: Annotated[Family | None, typer.Option(help="Only what is about this.")] = None,
    last: Last = 50,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """Show what a customer did by whichever identity, newest first by event time."""
    after = _cursor(cursor, cursors.moment)
    with database("profile") as connection:
        customer = find_one(connection, who)
        answer = answering.timeline(connection, customer, last, after, None if family is None else family.value)
    if as_json:
        emit(answer)
        return
    table(
        f"Timeline of {answer.customer_id}",
        ("happened", "name", "source", "message id", "payload"),
        [_line(entry) for entry in answer.activities],
    )
    _tell_next(answer.next)


@app.command(epilog="Example: rapport customers history user_id:u-17 first_name")
def history(
    who: Who,
    trait: Annotated[str, typer.Argument(metavar="TRAIT", help="A trait's name, as `show` has it.")],
    last: Last = 50,
    cursor: CursorOption = None,
    as_json: Json = False,
) -> None:
    """Show what was said about a trait, by whom and when, which of it counts and why."""
    after = _cursor(cursor, cursors.moment)
    with database("profile") as connection:
        answer = answering.history(connection, find_one(connection, who), trait, last, after)
    if as_json:
        emit(answer)
        return
    if not answer.said and answer.next is not None:
        fail(
            f"Nothing was said about {trait!r} in the newest {answer.looked_at} events that say traits"
            f"{'' if cursor is None else ' before that cursor'}. Older ones: --cursor {answer.next}",
            1,
        )
    if not answer.said:
        fail(f"Nothing was said about {trait!r} of this customer. `rapport customers show` lists the traits.", 1)
    table(
        f"What was said about {trait!r}",
        ("at", "value", "source", "message id", "counts", "why"),
        [
            (
                when(said.at),
                one_line(said.value),
                said.source,
                said.message_id,
                "yes" if said.counts else "no",
                said.why,
            )
            for said in answer.said
        ],
    )
    _tell_next(answer.next)


def _line(entry: Entry) -> tuple[str, ...]:
    return when(entry.occurred_at), entry.name, entry.source, entry.message_id, one_line(entry.payload)


def _tell_redirect(answer: Whole) -> None:
    if answer.redirected_from is not None:
        say(f"{answer.redirected_from} is {answer.customer.customer_id} now.")


def _tell_next(cursor: str | None) -> None:
    if cursor is not None:
        say(f"More: --cursor {cursor}")


def _cursor(text: str | None, read: Callable[[str], T]) -> T | None:
    try:
        return None if text is None else read(text)
    except BadCursorError as bad:
        fail(f"--cursor: {bad}")
