"""Customers over HTTP: what `rapport customers` shows, by the same code."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Response
from psycopg import Connection

from services.profile import answering, cursors
from services.profile.adapters import postgres_lookup
from services.profile.adapters.postgres_lookup import WANTED, Customer
from services.profile.answering import Account, History, Matches, Timeline, Whole
from services.profile.cursors import BadCursorError
from services.profile.domain.finding import wanted
from services.profile.query.describing import answer, answers
from services.profile.query.doors import InForce, Pool, Reader, Secret, note
from shared.contracts.catalogue import Family
from shared.runtime.api_errors import ApiError

T = TypeVar("T")

router = APIRouter(tags=["customers"])

DOCUMENTS = (Whole, Matches, Timeline, History, Account)

Who = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1000,
        description="A customer id (32 hexadecimal digits), or KIND:VALUE of any identity that has no slash in it.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=cursors.LONGEST, description="The `next` of the page before.")]


@router.get("/customers", response_class=Response, responses=answers(Matches))
def list_customers(
    caller: Reader,
    pool: Pool,
    secret: Secret,
    stages: InForce,
    search: Annotated[
        str | None,
        Query(max_length=200, description="The beginning of a name, e-mail address, phone number or user id."),
    ] = None,
    identity: Annotated[str | None, Query(max_length=1000, description="KIND:VALUE, instead of a search.")] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Response:
    """Find customers: first those of whom something begins so, then those of whom something is similar."""
    if (search is None) is (identity is None):
        raise _invalid("Expected either search or identity.")
    if identity is not None and (cursor is not None or ":" not in identity):
        raise _invalid("Expected identity as KIND:VALUE, and no cursor with it.")
    if search is not None and not wanted(search):
        raise _invalid("search: Expected something that can be written in a name, an address, a number or an id.")
    after = _place(cursor, cursors.hit)
    with pool.connection() as connection:
        if identity is not None:
            found = answering.known(postgres_lookup.find(connection, identity, secret), identity, stages)
        else:
            found = answering.search(connection, search or "", limit, after, stages)
        note(connection, caller, "search", [one.customer_id for one in found.customers])
    return answer(found)


@router.get("/customers/{who}", response_class=Response, responses=answers(Whole, HTTPStatus.NOT_FOUND))
def get_customer(caller: Reader, pool: Pool, secret: Secret, stages: InForce, who: Who) -> Response:
    """Show all that is known of a customer."""
    with pool.connection() as connection:
        customer = find_one(connection, who, secret)
        note(connection, caller, "show", [customer.customer_id])
        return answer(answering.whole(connection, customer, who, stages))


@router.get("/customers/{who}/timeline", response_class=Response, responses=answers(Timeline, HTTPStatus.NOT_FOUND))
def get_timeline(
    caller: Reader,
    pool: Pool,
    secret: Secret,
    who: Who,
    family: Annotated[Family | None, Query(description="Only what is about this.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Show what a customer did by whichever identity, newest first by event time, a page at a time."""
    after = _place(cursor, cursors.moment)
    with pool.connection() as connection:
        customer = find_one(connection, who, secret)
        note(connection, caller, "timeline", [customer.customer_id])
        return answer(answering.timeline(connection, customer, limit, after, None if family is None else family.value))


@router.get(
    "/customers/{who}/history/{trait}", response_class=Response, responses=answers(History, HTTPStatus.NOT_FOUND)
)
def get_history(
    caller: Reader,
    pool: Pool,
    secret: Secret,
    who: Who,
    trait: Annotated[str, Path(min_length=1, max_length=100)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Show what was said about a trait, by whom and when, which of it counts and why.

    So many events are looked at for one answer: while there is a `next`, there may be more.
    """
    after = _place(cursor, cursors.moment)
    with pool.connection() as connection:
        customer = find_one(connection, who, secret)
        note(connection, caller, "history", [customer.customer_id])
        return answer(answering.history(connection, customer, trait, limit, after))


@router.get("/accounts/{account}", response_class=Response, responses=answers(Account, HTTPStatus.NOT_FOUND))
def get_account(
    caller: Reader,
    pool: Pool,
    stages: InForce,
    account: Annotated[str, Path(min_length=1, max_length=1000)],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Show an account, and a page of those who belong to it."""
    after = _place(cursor, cursors.member)
    with pool.connection() as connection:
        found = answering.account(connection, account, limit, after, stages)
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "There is no such account.")
        note(connection, caller, "account", [one.customer_id for one in found.customers])
    return answer(found)


def find_one(connection: Connection, who: str, secret: bytes) -> Customer:
    """Find the customer that is meant.

    Raises:
        ApiError: 422 if it names nobody, 404 if nobody was seen with it.
    """
    if WANTED.fullmatch(who) is None:
        raise _invalid("Expected 32 hexadecimal digits, or KIND:VALUE such as user_id:u-17.")
    found = postgres_lookup.find(connection, who, secret)
    if not found:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", "No customer was seen with that.")
    return found[0]


def _place(cursor: str | None, read: Callable[[str], T]) -> T | None:
    try:
        return None if cursor is None else read(cursor)
    except BadCursorError as bad:
        raise _invalid(f"cursor: {bad}") from None


def _invalid(words: str) -> ApiError:
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", words)
