"""An API for operators: who asks is known by a bearer key, may do what its role may, and gets answers of one form."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.utils import generate_unique_id
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.api_errors import ApiError, Problem, answer, answer_errors
from shared.runtime.api_keys import ApiKeys, Caller, Role
from shared.runtime.health import Passed, Report

LARGEST_BODY = 1024 * 1024
_MOST_DIGITS = 18
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_TOO_LARGE_TEXT = f"Expected a body of at most {LARGEST_BODY} bytes."
_bearer = HTTPBearer(auto_error=False, description="A key of CRM_API_KEYS.")

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_api(
    title: str,
    description: str,
    keys: ApiKeys,
    ready: Callable[[], Awaitable[Report]],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Make an app with `/livez`, `/readyz` and `/openapi.json` for anybody; its routes ask for `allowed(…)`.

    Whatever is wrong with a request is answered as `{"code", "message"}`. Nothing may be cached on the way. A body is
    at most a megabyte.
    """
    app = FastAPI(
        title=title,
        description=description,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        # Names of operations that tools make methods from: those of our functions.
        generate_unique_id_function=lambda route: route.name or generate_unique_id(route),
        responses={
            400: {"model": Problem, "description": "The body cannot be read"},
            413: {"model": Problem, "description": "The body is too large"},
            422: {"model": Problem, "description": "Something in the request is not as it must be"},
        },
    )
    app.state.keys = keys
    answer_errors(app)
    app.add_middleware(_Bounded)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return _report(Report((Passed("loop"),)))

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        return _report(await ready())

    return app


def refusals(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe what else a route may answer, beside the refusals that each may."""
    every = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
    return {int(status): {"model": Problem, "description": status.phrase} for status in (*every, *statuses)}


def allowed(roles: frozenset[Role]) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that lets callers of these roles in, and tells who it is.

    Raises (in a request):
        ApiError: 401 without a key that is known, 403 when its role may not.
    """

    # Not a plain function: that would be called in a thread, which takes longer than what it does.
    async def who(
        request: Request,
        credentials: HTTPAuthorizationCredentials | None = Security(_bearer),  # noqa: B008 - how FastAPI declares it
    ) -> Caller:
        keys: ApiKeys = request.app.state.keys
        caller = None if credentials is None else keys.caller(credentials.credentials)
        if caller is None:
            raise ApiError(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "Expected `Authorization: Bearer <key>` with a key that is known.",
                {"WWW-Authenticate": "Bearer"},
            )
        if caller.role not in roles:
            needed = " or ".join(sorted(roles))
            raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", f"Expected a key with role {needed}, got {caller.role}.")
        return caller

    return who


def _report(report: Report) -> Response:
    return Response(report.to_json(), report.status_code, media_type="application/json")


class _Bounded:
    """Refuses large bodies before they fill the memory, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise ApiError(_TOO_LARGE, "too_large", _TOO_LARGE_TEXT)
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        declared = dict(scope["headers"]).get(b"content-length", b"0").lstrip(b"0")
        # By its length first: Python reads no number of thousands of digits.
        if declared.isdigit() and (len(declared) > _MOST_DIGITS or int(declared) > LARGEST_BODY):
            await answer(_TOO_LARGE, "too_large", _TOO_LARGE_TEXT)(scope, receive, marked)
            return
        await self._app(scope, bounded, marked)
