"""Sources and their keys over HTTP: the verbs of `rapport ingest sources`, by the same code."""

import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from services.ingest.adapters import postgres_registrations as registrations
from services.ingest.adapters.postgres_registrations import KEY_COLUMNS, LIST_COLUMNS
from services.ingest.admin.doors import Admin, Database, Operator, Reader
from services.ingest.admin.source_documents import (
    NamedSource,
    NewKey,
    NewSource,
    Paused,
    Resumed,
    Revoked,
    RevokeRequest,
    RotateRequest,
    SourceName,
    Sources,
    WholeSource,
)
from services.ingest.domain.registration import TooManyKeys
from services.ingest.domain.sources import Source
from services.ingest.quarantine.auditing import Action, note
from shared.runtime.api import refusals
from shared.runtime.api_errors import ApiError
from shared.runtime.clock import SystemClock
from shared.runtime.console import records

router = APIRouter(prefix="/sources", tags=["sources"])

_clock = SystemClock()


@router.get("", responses=refusals())
def list_sources(_caller: Reader, connection: Database) -> Sources:
    """List the sources."""
    return Sources.model_validate({"sources": records(LIST_COLUMNS, registrations.listed(connection))})


@router.get("/one", responses=refusals(HTTPStatus.NOT_FOUND))
def get_source(_caller: Reader, connection: Database, name: Annotated[SourceName, Query()]) -> WholeSource:
    """Show one source with its keys."""
    rows = registrations.listed(connection, name) if name.isprintable() else []
    if not rows:
        raise _unknown()
    held = sum(registrations.held(connection, name).values())
    keys = records(KEY_COLUMNS, registrations.keys_of(connection, name))
    return WholeSource.model_validate({**records(LIST_COLUMNS, rows)[0], "held": held, "keys": keys})


@router.post("", status_code=HTTPStatus.CREATED, responses=refusals(HTTPStatus.CONFLICT))
def add_source(caller: Admin, connection: Database, asked: NewSource) -> NewKey:
    """Add a source, and answer its write key."""
    source = Source(asked.name, asked.kind.value, asked.strictness, asked.region, asked.zone, asked.rate, asked.burst)
    with connection.transaction():
        key = registrations.add(connection, source, secrets.token_bytes)
        if key is None:
            raise ApiError(HTTPStatus.CONFLICT, "name_taken", "There is a source of this name already.")
        note(connection, caller.name, Action.SOURCE_ADD, source.name, detail={"key_id": key.id})
    return NewKey(name=source.name, key_id=key.id, key=key.text)


@router.post("/rotate", responses=refusals(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))
def rotate_key(caller: Admin, connection: Database, asked: RotateRequest) -> NewKey:
    """Make a second key, and let those in use end after the grace."""
    _storable(asked.name)
    ends_at = _clock.now() + timedelta(seconds=asked.grace_seconds)
    with connection.transaction():
        done = registrations.rotate(connection, asked.name, ends_at, secrets.token_bytes)
        if done is None:
            raise _unknown()
        if isinstance(done, TooManyKeys):
            good = ", ".join(key.id for key in done.active)
            raise ApiError(HTTPStatus.CONFLICT, "too_many_keys", f"Revoke one of the keys that are good first: {good}.")
        key, rotated = done
        note(connection, caller.name, Action.SOURCE_ROTATE, asked.name, detail={"key_id": key.id})
    ends = rotated.ends_at if rotated.ending else None
    return NewKey(name=asked.name, key_id=key.id, key=key.text, ending=list(rotated.ending), ends_at=ends)


@router.post("/revoke", responses=refusals(HTTPStatus.NOT_FOUND))
def revoke_key(caller: Admin, connection: Database, asked: RevokeRequest) -> Revoked:
    """Revoke a key: it is refused everywhere within 5 seconds, and for ever."""
    with connection.transaction():
        done = registrations.revoke(connection, asked.key_id)
        if done is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no such key.")
        source, before, left = done
        note(connection, caller.name, Action.SOURCE_REVOKE, asked.key_id, detail={"source": source})
    return Revoked(key_id=asked.key_id, source=source, was_revoked_at=before, active_keys=list(left))


@router.post("/pause", responses=refusals(HTTPStatus.NOT_FOUND))
def pause_source(caller: Operator, connection: Database, asked: NamedSource) -> Paused:
    """Hold a source's events in the quarantine until it is resumed; nothing is lost."""
    _storable(asked.name)
    with connection.transaction():
        before = registrations.pause(connection, asked.name)
        if before is None:
            raise _unknown()
        note(connection, caller.name, Action.SOURCE_PAUSE, asked.name)
    return Paused(name=asked.name, was_paused_at=before[0], was_paused_reason=before[1])


@router.post("/resume", responses=refusals(HTTPStatus.NOT_FOUND))
def resume_source(caller: Operator, connection: Database, asked: NamedSource) -> Resumed:
    """Let a source's events through again, and tell what waits to be replayed."""
    _storable(asked.name)
    with connection.transaction():
        before = registrations.resume(connection, asked.name)
        if before is None:
            raise _unknown()
        note(connection, caller.name, Action.SOURCE_RESUME, asked.name)
        groups = registrations.held(connection, asked.name)
    return Resumed(
        name=asked.name,
        was_paused_at=before[0],
        was_paused_reason=before[1],
        held=sum(groups.values()),
        groups=groups,
    )


def _storable(name: str) -> None:
    """Neither a NUL nor half a surrogate pair can be looked up, so there is no source of such a name."""
    if not name.isprintable():
        raise _unknown()


def _unknown() -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no source of this name.")
