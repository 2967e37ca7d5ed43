"""Deciding about customers over HTTP, for operators: what `rapport customers merge` and its kin do, by their code."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec
import psycopg
from fastapi import APIRouter, Path, Query, Request, Response
from psycopg import Connection
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import BaseModel, Field

from services.profile import deciding, explaining
from services.profile.adapters import postgres_decisions
from services.profile.adapters.postgres_lookup import WANTED, Decision
from services.profile.deciding import Done, Preview
from services.profile.domain import planning
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.planning import Choice, RefusedError
from services.profile.explaining import Explanation
from services.profile.query.describing import answer, answers
from services.profile.query.doors import Database, Operator, Pool, Reader, Secret, note
from shared.contracts.identities import IdentityRef
from shared.runtime.api_errors import ApiError
from shared.runtime.api_keys import Caller
from shared.runtime.errors import StaleStateError
from shared.runtime.logs import logger

log = logger(__name__)

router = APIRouter(tags=["decisions"])

PATIENCE_SECONDS = 5.0
"""How long a request waits for a worker of profile; a decision that takes longer is asked about by its id."""

_LONGEST_REASON = 1000
_MOST_LEAVING = 1000

Who = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1000,
        description="An identity: its id (32 hexadecimal digits), or KIND:VALUE without a slash in it.",
    ),
]
Named = Annotated[str, Field(min_length=1, max_length=1000, description="An identity: its id, or KIND:VALUE.")]


class Told(msgspec.Struct, frozen=True):
    """What a decision does; without an `id` it was only looked at, and without `applied` a worker has yet to do it."""

    preview: Preview
    id: str | None = None
    applied: Done | None = None


class Decisions(msgspec.Struct, frozen=True):
    """What people decided, newest first."""

    decisions: Sequence[Decision]


class Asked(BaseModel, extra="forbid"):
    """How a decision is asked for."""

    why: Annotated[str, Field(max_length=_LONGEST_REASON, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    dry_run: Annotated[bool, Field(description="Only look what it would do.")] = False


class MergeAsked(Asked):
    """With whom a customer is merged."""

    other: Named


class UnmergeAsked(Asked):
    """From whom an identity is parted; without `other`, the last merge by hand is taken back."""

    other: Named | None = None


class SplitAsked(Asked):
    """Which identities leave a customer."""

    leaving: Annotated[list[Named], Field(min_length=1, max_length=_MOST_LEAVING)]


DOCUMENTS = (Told, Explanation, Decisions, Decision)

_TOLD = {
    **answers(Told, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    202: {**answers(Told)[200], "description": "Written down, and not applied yet: ask for it by its id"},
}


@router.post("/customers/{who}/merge", response_class=Response, responses=_TOLD)
def merge(caller: Operator, request: Request, pool: Pool, secret: Secret, who: Who, asked: MergeAsked) -> Response:
    """Make two customers one, whatever the limits are."""
    one, other = _named(pool, secret, (who, asked.other))
    return _decide(caller, request, pool, planning.merge(one.id, other.id), (one, other), asked)


@router.post("/customers/{who}/unmerge", response_class=Response, responses=_TOLD)
def unmerge(caller: Operator, request: Request, pool: Pool, secret: Secret, who: Who, asked: UnmergeAsked) -> Response:
    """Take back a merge by hand, or keep apart two identities that events linked."""
    people = _named(pool, secret, (who,) if asked.other is None else (who, asked.other))
    choice = planning.unmerge(people[0].id, None if asked.other is None else people[1].id)
    return _decide(caller, request, pool, choice, people, asked)


@router.post("/customers/{who}/split", response_class=Response, responses=_TOLD)
def split(caller: Operator, request: Request, pool: Pool, secret: Secret, who: Who, asked: SplitAsked) -> Response:
    """Let identities leave a customer."""
    people = _named(pool, secret, (who, *asked.leaving))
    choice = planning.split(people[0].id, [one.id for one in people[1:]])
    return _decide(caller, request, pool, choice, people, asked)


@router.post("/customers/{who}/block", response_class=Response, responses=_TOLD)
def block(caller: Operator, request: Request, pool: Pool, secret: Secret, who: Who, asked: Asked) -> Response:
    """Let an identity stand for nobody."""
    people = _named(pool, secret, (who,))
    return _decide(caller, request, pool, planning.block(people[0].id, blocked=True), people, asked)


@router.post("/customers/{who}/unblock", response_class=Response, responses=_TOLD)
def unblock(caller: Operator, request: Request, pool: Pool, secret: Secret, who: Who, asked: Asked) -> Response:
    """Let an identity that was blocked link others again."""
    people = _named(pool, secret, (who,))
    return _decide(caller, request, pool, planning.block(people[0].id, blocked=False), people, asked)


@router.get(
    "/customers/{who}/explain",
    response_class=Response,
    responses=answers(Explanation, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def explain(caller: Reader, request: Request, pool: Pool, secret: Secret, who: Who) -> Response:
    """Show why identities are one customer, and what was left out."""
    (person,) = _named(pool, secret, (who,))
    try:
        found = explaining.explain(_address(request), _rules(request), person.id)
    except RefusedError as refused:
        raise ApiError(HTTPStatus.CONFLICT, "too_large", str(refused)) from None
    except StaleStateError:
        raise _changing() from None
    with pool.connection() as connection:
        note(connection, caller, "explain", [found.customer_id])
    return answer(found)


@router.get("/decisions", response_class=Response, responses=answers(Decisions))
def list_decisions(caller: Reader, connection: Database, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Response:
    """Show who decided what, newest first."""
    del caller
    return answer(Decisions(postgres_decisions.recent(connection, limit)))


@router.get("/decisions/{decision}", response_class=Response, responses=answers(Decision, HTTPStatus.NOT_FOUND))
def get_decision(
    caller: Reader, connection: Database, decision: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
) -> Response:
    """Show a decision, and what came of it."""
    del caller
    found = postgres_decisions.made(connection, decision)
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no such decision.")
    return answer(found)


def _decide(
    caller: Caller,
    request: Request,
    pool: ConnectionPool[Connection],
    choice: Choice,
    people: Sequence[IdentityRef],
    asked: Asked,
) -> Response:
    try:
        looked = deciding.preview(
            _address(request), _rules(request), [one.id for one in people], choice, _stages(request)
        )
    except RefusedError as refused:
        raise ApiError(HTTPStatus.CONFLICT, "refused", str(refused)) from None
    except StaleStateError:
        raise _changing() from None
    if asked.dry_run:
        return answer(Told(looked))
    with pool.connection() as connection, connection.transaction():
        recorded = deciding.record(connection, looked, f"api:{caller.name}", asked.why)
    try:
        recorded = deciding.wait(pool.connection, recorded, PATIENCE_SECONDS)
    except (PoolTimeout, psycopg.OperationalError) as error:
        # It stands: an error would have people decide it once more.
        log.warning("Nobody can look what came of a decision", action="decision.unseen", error=type(error).__name__)
    if recorded.applied is not None and recorded.applied.refused is not None:
        raise ApiError(HTTPStatus.CONFLICT, "refused", f"Decision {recorded.id}: {recorded.applied.refused}")
    told = answer(Told(looked, recorded.id, recorded.applied))
    told.status_code = HTTPStatus.ACCEPTED if recorded.applied is None else HTTPStatus.OK
    return told


def _named(pool: ConnectionPool[Connection], secret: bytes, wanted: Sequence[str]) -> list[IdentityRef]:
    if any(WANTED.fullmatch(who) is None for who in wanted):
        raise _invalid("Expected 32 hexadecimal digits, or KIND:VALUE such as user_id:u-17.")
    people: list[IdentityRef] = []
    # Given back at once: what comes next may take seconds, and has connections of its own.
    with pool.connection() as connection:
        for who in wanted:
            found = postgres_decisions.named(connection, who, secret)
            if not found:
                raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "Nobody was seen with that.")
            people.append(found[0])
    if len({one.id for one in people}) < len(people):
        raise _invalid("Two of these are the same identity.")
    return people


def _address(request: Request) -> str:
    address: str = request.app.state.database_url
    return address


def _rules(request: Request) -> IdentityRules:
    rules: IdentityRules = request.app.state.rules
    return rules


def _stages(request: Request) -> Stages:
    stages: Stages = getattr(request.app.state, "stages", USUAL)
    return stages


def _invalid(words: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", words)


def _changing() -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, "changing", "The customer is changing right now. Try again.")
