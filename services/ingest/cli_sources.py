"""`rapport ingest sources`: who may send, with which keys, and how its events are read."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn

import typer
from psycopg import Connection

from services.ingest.adapters import postgres_registrations as registrations
from services.ingest.adapters.postgres_registrations import KEY_COLUMNS, LIST_COLUMNS
from services.ingest.cli_source_options import (
    NONE,
    BurstOption,
    KindOption,
    RateOption,
    RegionOption,
    StrictOption,
    ZoneOption,
    changes_of,
    did_you_mean,
    grace_of,
)
from services.ingest.domain import keys
from services.ingest.domain.registration import NAME_RULE, Kind, TooManyKeys, is_name, nearest
from services.ingest.domain.sources import Source, Strictness
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.cli import actor
from shared.runtime.clock import SystemClock
from shared.runtime.console import database, emit, fail, records, table, writable_database

_NOTHING_CHANGES = "Nothing to change: give --kind, --strict, --open, --rate, --burst, --region or --zone."
_SEEN = "Every process follows within 5 seconds."

app = typer.Typer(
    help="Who may send, with which keys, and how its events are read.",
    epilog="Examples: rapport ingest sources add web-shop --kind web --region DE | rapport ingest sources list | "
    "rapport ingest sources rotate web-shop",
    no_args_is_help=True,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The source's name, as `list` shows it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(
    epilog="Examples: rapport ingest sources add web-shop --kind web --region DE --zone Europe/Berlin | "
    "rapport ingest sources add billing --kind server --strict --rate 500 --json"
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"What to call it: {NAME_RULE}.")],
    kind: Annotated[Kind, typer.Option(help="What it is; for people only.")] = Kind.SERVER,
    strict: Annotated[
        bool, typer.Option("--strict/--open", help="Refuse event names that are not in the catalogue, or keep them.")
    ] = False,
    rate: RateOption = None,
    burst: BurstOption = None,
    region: RegionOption = None,
    zone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a source, and show its write key: the only time that anybody sees it."""
    if not is_name(name):
        fail(f"{name!r} can't be the name of a source: expected {NAME_RULE}.")
    changes = changes_of(rate=rate, burst=burst, region=region, zone=zone)
    if changes.get("burst") and not changes.get("rate"):
        fail("--burst: expected --rate beside it, for there is nothing to exceed without one.")
    source = Source(name, kind.value, Strictness.STRICT if strict else Strictness.OPEN, **changes)
    with writable_database("ingest") as connection:
        key = registrations.add(connection, source, secrets.token_bytes)
        if key is not None:
            note(connection, actor(), Action.SOURCE_ADD, name, detail={"key_id": key.id})
    if key is None:
        fail(f"There is a source {name} already: `rapport ingest sources rotate {name}` makes another key for it.", 1)
    if as_json:
        emit({"name": name, "key_id": key.id, "key": key.text})
        return
    typer.echo(f"{name} is added. Its write key, which is not shown again:\n\n  {key.text}\n\n{_SEEN}")


@app.command("list", epilog="Examples: rapport ingest sources list | rapport ingest sources list --json")
def list_sources(as_json: JsonOption = False) -> None:
    """List the sources with their state, their good keys, and when one was last used."""
    with database("ingest") as connection:
        rows = registrations.listed(connection)
    found = records(LIST_COLUMNS, rows)
    if as_json:
        emit(found)
        return
    columns = ("name", "kind", "strictness", "rate", "region", "zone", "state", "keys", "last used")
    shown = [
        [*(one[name] for name in columns[:6]), _state(one), one["active_keys"], _when(one["last_used_at"])]
        for one in found
    ]
    table("Sources", columns, shown)


@app.command(epilog="Examples: rapport ingest sources show web-shop | rapport ingest sources show web-shop --json")
def show(name: NameArgument, as_json: JsonOption = False) -> None:
    """Show one source with its keys (never their text) and how many of its events are held."""
    with database("ingest") as connection:
        rows = registrations.listed(connection, name)
        if not rows:
            _unknown(connection, name)
        own_keys = records(KEY_COLUMNS, registrations.keys_of(connection, name))
        found = dict(zip(LIST_COLUMNS, rows[0], strict=True)) | {
            "held": sum(registrations.held(connection, name).values())
        }
    if as_json:
        emit({**found, "keys": own_keys})
        return
    state = found | {"paused": _state(found)}
    told = ("kind", "strictness", "rate", "burst", "region", "zone", "paused", "held")
    table(f"Source {name}", ("what", "value"), [(what, state[what]) for what in told])
    table(
        "Keys",
        ("id", "state", "made", "ends", "revoked", "last used"),
        [
            (one["id"], "good" if one["active"] else "no more", *(_when(one[at]) for at in KEY_COLUMNS[2:]))
            for one in own_keys
        ],
    )


@app.command(
    "set",
    epilog="Examples: rapport ingest sources set web-shop --strict --rate 200 | "
    "rapport ingest sources set web-shop --region none --rate 0",
)
def set_source(
    name: NameArgument,
    kind: KindOption = None,
    strict: StrictOption = None,
    rate: RateOption = None,
    burst: BurstOption = None,
    region: RegionOption = None,
    zone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how a source is read or how much it may send; what is not named stays as it is."""
    changes = changes_of(rate=rate, burst=burst, region=region, zone=zone)
    if kind is not None:
        changes["kind"] = kind.value
    if strict is not None:
        changes["strictness"] = (Strictness.STRICT if strict else Strictness.OPEN).value
    if not changes:
        fail(_NOTHING_CHANGES)
    if changes.get("rate", 0) is None:
        changes["burst"] = None
    with writable_database("ingest") as connection:
        rows = registrations.listed(connection, name)
        if not rows:
            _unknown(connection, name)
        if changes.get("burst") and not (changes.get("rate") or dict(zip(LIST_COLUMNS, rows[0], strict=True))["rate"]):
            fail("--burst: expected --rate beside it, for there is nothing to exceed without one.")
        registrations.change(connection, name, changes)
        note(connection, actor(), Action.SOURCE_SET, name, detail=changes)
    if as_json:
        emit({"name": name, "changed": changes})
        return
    said = ", ".join(f"{what} {NONE if value is None else value}" for what, value in sorted(changes.items()))
    typer.echo(f"{name}: {said}. {_SEEN}")


@app.command(
    epilog="Examples: rapport ingest sources rotate web-shop | rapport ingest sources rotate web-shop --grace 7d"
)
def rotate(
    name: NameArgument,
    grace: Annotated[str, typer.Option(help="How long the key in use stays good: 90s, 30m, 24h, 7d, 0s.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Make a second key, and let the one in use end after the grace; two are good at one time at most."""
    ends_at = SystemClock().now() + grace_of(grace)
    with writable_database("ingest") as connection:
        done = registrations.rotate(connection, name, ends_at, secrets.token_bytes)
        if done is None:
            _unknown(connection, name)
        if isinstance(done, TooManyKeys):
            _too_many(name, done)
        key, rotated = done
        note(connection, actor(), Action.SOURCE_ROTATE, name, detail={"key_id": key.id})
    if as_json:
        emit(
            {
                "name": name,
                "key_id": key.id,
                "key": key.text,
                "ending": rotated.ending,
                "ends_at": rotated.ends_at if rotated.ending else None,
            }
        )
        return
    typer.echo(f"The new write key of {name}, which is not shown again:\n\n  {key.text}\n")
    for old in rotated.ending:
        typer.echo(
            f"{old} stays good until {_when(rotated.ends_at)}. At once instead: rapport ingest sources revoke {old}"
        )
    typer.echo(_SEEN)


@app.command(epilog="Examples: rapport ingest sources revoke a2bcd3ef | rapport ingest sources revoke a2bcd3ef --json")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, as `show` tells it.")],
    as_json: JsonOption = False,
) -> None:
    """Revoke a key: it is refused everywhere within 5 seconds, and for ever."""
    key_id = keys.id_of(key_id) or key_id
    with writable_database("ingest") as connection:
        done = registrations.revoke(connection, key_id)
        if done is None:
            known = nearest(key_id, registrations.key_ids(connection))
            fail(
                f"There is no key {key_id!r}.{did_you_mean(known)} `rapport ingest sources show NAME` tells the ids.", 1
            )
        source, before, left = done
        if before is None:
            note(connection, actor(), Action.SOURCE_REVOKE, key_id, detail={"source": source})
    if as_json:
        emit({"key_id": key_id, "source": source, "was_revoked_at": before, "active_keys": list(left)})
        return
    told = f"{key_id} of {source} is revoked: it is refused everywhere within 5 seconds."
    typer.echo(told if before is None else f"{key_id} of {source} was revoked already, {_when(before)}.")
    if not left:
        typer.echo(f"{source} has no good key left: rapport ingest sources rotate {source}")


@app.command(epilog="Examples: rapport ingest sources pause web-shop | rapport ingest sources pause web-shop --json")
def pause(name: NameArgument, as_json: JsonOption = False) -> None:
    """Hold a source's events in the quarantine until it is resumed; senders notice nothing, and nothing is lost."""
    with writable_database("ingest") as connection:
        before = registrations.pause(connection, name)
        if before is None:
            _unknown(connection, name)
        since, reason = before
        if since is None:
            note(connection, actor(), Action.SOURCE_PAUSE, name)
    if as_json:
        emit({"name": name, "was_paused_at": since, "was_paused_reason": reason})
        return
    if since is not None:
        typer.echo(f"{name} was paused already, {_when(since)}, by {_by(reason)}.")
        return
    typer.echo(f"{name} is paused: its events are held in the quarantine. {_SEEN}")


@app.command(epilog="Examples: rapport ingest sources resume web-shop | rapport ingest sources resume web-shop --json")
def resume(name: NameArgument, as_json: JsonOption = False) -> None:
    """Let a source's events through again, and say how many are held and how to replay them."""
    with writable_database("ingest") as connection:
        before = registrations.resume(connection, name)
        if before is None:
            _unknown(connection, name)
        since, reason = before
        if since is not None:
            note(connection, actor(), Action.SOURCE_RESUME, name, detail={"was_paused_by": reason})
        groups = registrations.held(connection, name)
    held = sum(groups.values())
    if as_json:
        emit({"name": name, "was_paused_at": since, "was_paused_reason": reason, "held": held, "groups": groups})
        return
    typer.echo(f"{name} was not paused." if since is None else f"{name} is resumed. {_SEEN}")
    if held:
        typer.echo(f"Held in the quarantine: {held} events. When they are to go on:")
    for cause in groups:
        typer.echo(f"  rapport ingest quarantine replay --group {cause}")


def _unknown(connection: Connection, name: str) -> NoReturn:
    known = nearest(name, registrations.names(connection))
    fail(f"There is no source {name!r}.{did_you_mean(known)} `rapport ingest sources list` shows those there are.", 1)


def _too_many(name: str, found: TooManyKeys) -> NoReturn:
    told = "; ".join(
        key.id if key.ends_at is None else f"{key.id}, good until {_when(key.ends_at)}" for key in found.active
    )
    fail(
        f"{name} has {keys.MOST_ACTIVE} good keys already ({told}). Revoke one: rapport ingest sources revoke KEY_ID", 1
    )


def _state(source: Mapping[str, Any]) -> str:
    if source["paused_at"] is None:
        return "active"
    return f"paused by {_by(source['paused_reason'])} {_when(source['paused_at'])}"


def _by(reason: str | None) -> str:
    return "its fuse" if reason == "fuse" else "an operator"


def _when(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds")
