"""`rapport profile rebuild` and `check`: customers against their timeline."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import psycopg
import typer
from psycopg_pool import PoolTimeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.profile.adapters.rule_files import WrongRulesError
from services.profile.domain.comparing import Difference
from services.profile.rebuilding.checking import Checked, check_all, check_some
from services.profile.rebuilding.opening import site_of
from services.profile.rebuilding.rebuild import Outcome, Rebuild
from services.profile.settings import RebuildingSettings
from shared.runtime.console import emit, fail, settings_or_fail, table
from shared.runtime.errors import FatalError
from shared.runtime.settings import WrongSettingsError, settings_for

app = typer.Typer(add_completion=False)

T = TypeVar("T")

MOST_LISTED = 50
"""Differences in a table; JSON has them all."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog="Examples: rapport profile rebuild | rapport profile rebuild --json")
def rebuild(as_json: Json = False) -> None:
    """Count every customer anew from the timeline, and put right those whose rows say something else.

    Events may go on meanwhile. What is as its events say is not touched; whatever differs gets a new version and is
    published. A rebuild that was stopped goes on where it was. After a change of config/identity.yaml: restart profile
    first, so that what comes in meanwhile goes by the new rules too. Whoever has an event that this version cannot read
    is listed and left alone; then the code is 1.
    """
    begun = time.perf_counter()

    async def work(settings: RebuildingSettings, show: _Show) -> Outcome:
        async with site_of(settings) as site:
            return await Rebuild(site, show).run()

    outcome = _run(work, as_json=as_json)
    seconds = time.perf_counter() - begun
    if as_json:
        emit({"seconds": round(seconds, 3), "events_per_second": round(outcome.events / seconds), **_fields(outcome)})
    else:
        _show(outcome, round(outcome.events / seconds))
    if outcome.unreadable:
        many = "1 customer was" if outcome.unreadable == 1 else f"{outcome.unreadable} customers were"
        fail(f"{many} left alone: this version cannot read an event of theirs (listed as timeline.KEY…).", 1)


def _show(outcome: Outcome, events_a_second: int) -> None:
    table(
        "Rebuild",
        ("what", "value"),
        [
            ("identities", outcome.identities),
            ("events", outcome.events),
            ("events a second", events_a_second),
            ("customers compared", outcome.customers),
            ("equal", outcome.equal),
            ("different", outcome.different),
            ("put right", outcome.switched),
            ("left alone, unreadable", outcome.unreadable),
            ("accounts", outcome.accounts),
            ("accounts put right", outcome.accounts_different),
        ],
    )
    _list(outcome.differences, outcome.different)


@app.command(epilog="Examples: rapport profile check | rapport profile check --all --json")
def check(
    sample: Annotated[int, typer.Option(min=1, max=1_000_000, help="About how many customers to compare.")] = 1000,
    everybody: Annotated[bool, typer.Option("--all", help="Compare every customer and every account.")] = False,
    as_json: Json = False,
) -> None:
    """Compare customers with what is counted anew from the timeline, and write nothing; code 1 if one differs."""

    async def work(settings: RebuildingSettings, show: _Show) -> Checked:
        async with site_of(settings) as site:

            def watch(done: int) -> None:
                show("comparing", done, 0 if everybody else sample, 0)

            return await (check_all(site, watch) if everybody else check_some(site, sample, watch))

    found = _run(work, as_json=as_json)
    if as_json:
        emit(_fields(found))
    else:
        rows = [(name.replace("_", " "), value) for name, value in _fields(found).items() if name != "differences"]
        table("Check", ("what", "value"), rows)
        _list(found.differences, found.different)
    if found.different or found.accounts_different:
        fail("Customers or accounts are not what their events say: `rapport profile rebuild` puts them right.", 1)


_Show = Callable[[str, int, int, int], None]


def _run(work: Callable[[RebuildingSettings, _Show], Coroutine[Any, Any, T]], *, as_json: bool) -> T:
    settings_or_fail("profile")
    try:
        with _bar(as_json=as_json) as show:
            return asyncio.run(work(settings_for("profile", RebuildingSettings), show))
    except WrongRulesError as wrong:
        fail(str(wrong))
    except WrongSettingsError as wrong:
        fail(str(wrong))
    except FatalError as error:
        said = str(error)
        fail(f"{said[:1].upper()}{said[1:]}.", 1)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        fail("The tables of profile are missing or old. Run `rapport migrate`.", 1)
    except (psycopg.OperationalError, PoolTimeout) as error:
        reason = " ".join(str(error).split())
        fail(f"PostgreSQL cannot be used: {reason}\nStart it with `rapport up`, or set CRM_DATABASE_URL.", 1)


@contextmanager
def _bar(*, as_json: bool) -> Iterator[_Show]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    begun = time.perf_counter()
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as drawn:
        task = drawn.add_task("", total=None)

        def show(phase: str, done: int, total: int, events: int) -> None:
            rate = f", {round(events / (time.perf_counter() - begun)):,} events/s" if events else ""
            drawn.update(task, description=f"{phase}{rate}", completed=done, total=total or None)

        yield show


def _list(differences: Sequence[Difference], many: int) -> None:
    if differences:
        shown = differences[:MOST_LISTED]
        title = f"Different, {len(shown)} of {many}"
        table(title, ("customer id", "first difference"), [(one.customer_id, one.path) for one in shown])


def _fields(found: Outcome | Checked) -> dict[str, Any]:
    said = {name: getattr(found, name) for name in found.__struct_fields__}
    differences = [{"customer_id": one.customer_id, "path": one.path} for one in found.differences]
    return {**said, "differences": differences}
