"""What an API answers when it cannot do what it was asked: always `{"code", "message"}`, never a stack trace."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from shared.runtime.logs import logger

log = logger(__name__)

_MOST_TOLD = 5
_RETRY_SECONDS = "5"
_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
}


class Problem(BaseModel):
    """Why a request was not done; the code is for programs and never changes, the message is for people."""

    code: str = Field(pattern="^[a-z][a-z_]*$")
    message: str


class ApiError(Exception):
    """A request cannot be done, and why."""

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def answer(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Write a refusal."""
    return JSONResponse({"code": code, "message": message}, status, headers=dict(headers or {}))


def answer_errors(app: FastAPI) -> None:
    """Make an app answer each error in our form."""
    app.add_exception_handler(ApiError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    for kind in (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _unavailable)
    app.add_exception_handler(Exception, _failed)


async def _told(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)  # noqa: S101 - it is registered for these alone
    return answer(error.status, error.code, error.message, error.headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    found = [_line(one) for one in error.errors()[:_MOST_TOLD]]
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "; ".join(found))


def _line(error: Mapping[str, Any]) -> str:
    # Not the input: what was sent may be personal, and would end in somebody's log.
    return f"{'.'.join(str(step) for step in error['loc'])}: {error['msg']}"


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    status = HTTPStatus(error.status_code)
    return answer(status, _CODES.get(status, "refused"), str(error.detail), error.headers)


async def _unavailable(_request: Request, error: Exception) -> JSONResponse:
    log.warning("PostgreSQL is away", action="api.unavailable", error=type(error).__name__)
    message = "The database cannot be used now. Try again."
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", message, {"Retry-After": _RETRY_SECONDS})


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    log.error("A request failed", action="api.failed", exc_info=error)
    message = "That should not have happened; the log says where."
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message)
