"""The quarantine over HTTP: the verbs of `rapport ingest quarantine`, by the same code."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.ingest.admin.background import BackgroundReplays
from services.ingest.admin.documents import (
    Discarded,
    DiscardRequest,
    Entries,
    EntryId,
    FixReport,
    Group,
    ReplayProgress,
    ReplayRequest,
    Summary,
    WholeEntry,
)
from services.ingest.admin.doors import Database, Operator, PersonReader, Reader
from services.ingest.domain.mending import BadPatch, read_patch
from services.ingest.domain.problems import Reason
from services.ingest.quarantine import discarding, fixing, looking, replays, showing
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.fixing import EXAMPLES, Mode, Order, Origin
from services.ingest.quarantine.judging import judging_reader
from services.ingest.quarantine.looking import NEWEST, Wanted
from services.ingest.quarantine.selecting import MENDABLE, Everything, Named, OfCause, Scope, State, extent
from services.ingest.quarantine.sending import AlreadyRunning
from shared.runtime.api import refusals
from shared.runtime.api_errors import ApiError

router = APIRouter(prefix="/quarantine", tags=["quarantine"])

_PATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json-patch+json": {
                "schema": {
                    "type": "array",
                    "description": "RFC 6902; paths into the event, or /headers/<name>.",
                    "items": {
                        "type": "object",
                        "required": ["op", "path"],
                        "properties": {
                            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                            "path": {"type": "string", "description": "A JSON pointer."},
                            "from": {"type": "string", "description": "A JSON pointer, to move or copy."},
                            "value": {"description": "Any JSON, to add, replace or test."},
                        },
                    },
                }
            }
        },
    }
}


async def _body(request: Request) -> bytes:
    return await request.body()


@router.get("/summary", responses=refusals())
def get_summary(_caller: Reader, connection: Database) -> Summary:
    """Count what nobody has settled, by cause."""
    return Summary.model_validate({"causes": looking.summary(connection)})


@router.get("", responses=refusals())
def list_entries(
    _caller: Reader,
    connection: Database,
    group: Annotated[Group | None, Query()] = None,
    reason: Annotated[Reason | None, Query()] = None,
    state: Annotated[State | None, Query(description="By default all that nobody has settled.")] = None,
    cursor: Annotated[
        str | None, Query(pattern="^[1-9][0-9]{0,17}$", description="The `next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Entries:
    """List refused events without their bytes, newest first, a page at a time."""
    wanted = Wanted(
        group,
        None if reason is None else reason.value,
        None if state is None else state.value,
        NEWEST if cursor is None else int(cursor),
    )
    rows = looking.listed(connection, wanted, limit + 1)
    further = str(rows[limit - 1]["id"]) if len(rows) > limit else None
    return Entries.model_validate({"entries": rows[:limit], "next": further})


@router.post("/groups/{group}/fix", responses=refusals(HTTPStatus.NOT_FOUND), openapi_extra=_PATCH_BODY)
def fix_group(
    caller: Operator,
    connection: Database,
    group: Annotated[Group, Path()],
    body: Annotated[bytes, Depends(_body)],
    dry_run: Annotated[bool, Query(description="Keep nothing of it.")] = False,  # noqa: FBT002 - a flag in the query
    origin: Annotated[Origin, Query(description="Patch what was mended before, or what was sent.")] = Origin.MENDED,
    examples: Annotated[int, Query(ge=0, le=100)] = EXAMPLES,
) -> FixReport:
    """Mend every event of a group by a JSON Patch, beside the original."""
    patch = read_patch(body)
    if isinstance(patch, BadPatch):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_patch", f"The patch cannot be used: {patch.why}")
    order = Order(group, patch, origin, Mode.DRY_RUN if dry_run else Mode.KEEP, examples)
    report = fixing.fix(connection, judging_reader(connection), order, caller.name)
    if not report.entries:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "No event of this group is open.")
    shown = [example.entry for example in report.examples]
    if shown:
        note(connection, caller.name, Action.READ, group, shown)
    return FixReport.model_validate(showing.fix_document(order, report))


@router.post(
    "/replays",
    status_code=HTTPStatus.ACCEPTED,
    responses=refusals(HTTPStatus.CONFLICT),
)
async def start_replay(caller: Operator, request: Request, response: Response, asked: ReplayRequest) -> ReplayProgress:
    """Begin to send events in again; ask for its progress until nothing waits."""
    running: BackgroundReplays = request.app.state.replays
    try:
        begun = await running.start(_scope(asked.group, asked.ids), caller.name, again=asked.again)
    except (KafkaError, OSError):
        raise ApiError(
            HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Kafka cannot be used now. Try again.", {"Retry-After": "5"}
        ) from None
    if isinstance(begun, AlreadyRunning):
        raise ApiError(HTTPStatus.CONFLICT, "already_running", "Somebody else replays just now: wait for it to end.")
    response.headers["Location"] = f"/quarantine/replays/{begun}"
    return await asyncio.to_thread(_progress_of, request.app.state.pool, begun)


@router.get("/replays/{replay}", responses=refusals(HTTPStatus.NOT_FOUND))
def get_replay(_caller: Reader, connection: Database, replay: Annotated[EntryId, Path()]) -> ReplayProgress:
    """Tell how far a replay came."""
    return _progress(connection, replay)


@router.post("/replays/{replay}/stop", responses=refusals(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def stop_replay(
    _caller: Operator, request: Request, connection: Database, replay: Annotated[EntryId, Path()]
) -> ReplayProgress:
    """Ask a replay to stop; what it did not send waits for the next one."""
    found = _progress(connection, replay)
    running: BackgroundReplays = request.app.state.replays
    if not running.stop(replay) and found.state == replays.ReplayState.RUNNING:
        raise ApiError(HTTPStatus.CONFLICT, "not_here", "This replay was begun elsewhere: stop it there.")
    return found


@router.post("/discard", responses=refusals(HTTPStatus.NOT_FOUND))
def discard_entries(caller: Operator, connection: Database, asked: DiscardRequest) -> Discarded:
    """Set events aside for good; they keep their bytes."""
    scope = _scope(asked.group, asked.ids)
    reason = asked.reason.strip()
    if isinstance(scope, Everything):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "Expected group or ids.")
    if not reason or not reason.isprintable():
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "Expected printable characters as the reason.")
    if not extent(connection, scope, MENDABLE).entries:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "None of these is open.")
    return Discarded(discarded=discarding.discard(connection, scope, reason, caller.name))


@router.get("/{entry}", responses=refusals(HTTPStatus.NOT_FOUND))
def get_entry(caller: PersonReader, connection: Database, entry: Annotated[EntryId, Path()]) -> WholeEntry:
    """Show one refused event whole; the audit says who saw it."""
    found = looking.shown(connection, entry)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no such entry.")
    note(connection, caller.name, Action.READ, "entries", [entry])
    return WholeEntry.model_validate(found)


def _scope(group: str | None, ids: list[int] | None) -> Scope:
    if group is not None and ids is not None:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "Expected group or ids, got both.")
    if ids is not None:
        return Named(tuple(sorted(set(ids))))
    return Everything() if group is None else OfCause(group)


def _progress_of(pool: Any, replay: int) -> ReplayProgress:
    with pool.connection() as connection:
        return _progress(connection, replay)


def _progress(connection: Database, replay: int) -> ReplayProgress:
    found = replays.progress(connection, replay)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no such replay.")
    return ReplayProgress.model_validate(msgspec.to_builtins(found))
