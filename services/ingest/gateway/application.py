"""The ASGI application: which request goes where, and that each gets an answer that no SDK loses data over."""

import binascii
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.routing import Router

from services.ingest.domain.shapes import snowplow
from services.ingest.domain.sources import Source
from services.ingest.gateway import answers, browsers, credentials, openapi, routes
from services.ingest.gateway.answers import Answer, Receive, Scope, Send
from services.ingest.gateway.credentials import Head
from services.ingest.gateway.observing import Observer
from services.ingest.gateway.reception import Reception
from services.ingest.gateway.routes import Family, Place, Route
from shared.runtime.logs import logger

log = logger(__name__)

Lifespan = Callable[[Router], AbstractAsyncContextManager[None]]

_PICTURES = (Place.TRACKED, Place.PIXEL)

_NOT_FOUND = answers.refused(404, "not_found", "nothing is taken at this address")
_NOT_ALLOWED = answers.refused(405, "method_not_allowed", "this address takes another method")
_FAILED = answers.refused(500, "failed", "the gateway failed: send it again", retry_after=1)
_UNKNOWN_KEY = answers.refused(401, "unknown_key", "no source has this write key")
_DESCRIPTION = Answer(200, openapi.description().encode())


class Gateway:
    """Takes requests of all vendors.

    What carries events is found by a look-up and runs through nothing but our own code; Starlette has the lifespan.
    """

    def __init__(self, reception: Reception, observer: Observer, lifespan: Lifespan) -> None:
        self._reception = reception
        self._observer = observer
        self._router = Router(lifespan=lifespan)

    @property
    def in_flight(self) -> int:
        """Bytes of requests under way."""
        return self._reception.budget.used

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        began = time.perf_counter()
        of = credentials.head(scope)
        family = Family.OTHER
        answer: Answer | None
        try:
            family, answer = await self._answer(scope, of, receive)
        except Exception:
            # Whatever it was: the sender keeps its events and tries again.
            log.exception("A request failed", action="gateway.failed")
            answer = _FAILED
        if answer is not None:
            await answers.say(answer, send, of.origin)
            self._observer.answered(family, answer.status, began)

    async def _answer(self, scope: Scope, of: Head, receive: Receive) -> tuple[Family, Answer | None]:
        method, path = scope["method"], scope["path"]
        if method == "POST":
            route = routes.EVENTS.get(path)
            if route is not None:
                said = [*credentials.said(of, "", scope["query_string"])]
                return route.family, await self._reception.take(route, of, said, receive)
        elif method == "OPTIONS":
            return Family.PREFLIGHT, answers.PREFLIGHT
        path, key = routes.keyed(routes.plain(path))
        address, varying = routes.found(path) or (None, "")
        if address is None or address.method != ("GET" if method == "HEAD" else method):
            return Family.OTHER, _NOT_FOUND if address is None else _NOT_ALLOWED
        said = [*credentials.said(of, key, scope["query_string"])]
        if address.place is Place.EVENTS:
            route = routes.EVENTS[path]
            return route.family, await self._reception.take(route, of, said, receive)
        if address.place in _PICTURES:
            return await self._drawn(address.place, varying, of, said, scope["query_string"])
        return self._told(address.place, varying, of, said, scope)

    async def _drawn(
        self, place: Place, kind: str, of: Head, said: list[str], query: bytes
    ) -> tuple[Family, Answer | None]:
        if place is Place.PIXEL:
            await self._picture(routes.PIXELS.get(kind), of, said, query)
            return Family.PIXEL, answers.GIF
        answer = await self._reception.take(routes.TRACKED, of, said, _as_body(snowplow.from_query(query), of))
        return Family.SNOWPLOW, answers.GIF if answer is not None and answer.status < 300 else answer  # noqa: PLR2004 - success

    def _told(self, place: Place, varying: str, of: Head, said: list[str], scope: Scope) -> tuple[Family, Answer]:
        match place:
            case Place.SEGMENT_SETTINGS:
                return Family.SETTINGS, self._segment_settings(unquote(varying), of, scope)
            case Place.SOURCE_CONFIG:
                return Family.SETTINGS, self._source_config(said)
            case Place.BROWSER_FIGURES:
                return Family.SETTINGS, answers.OK
            case Place.DESCRIPTION:
                return Family.OTHER, _DESCRIPTION
            case _:
                return Family.OTHER, answers.OK

    async def _picture(self, route: Route | None, of: Head, said: list[str], query: bytes) -> None:
        data = parse_qs(query.decode("latin-1")).get("data", [""])[0]
        # A plus that was not escaped has become a space on the way; padding is often left out.
        text = data.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
        try:
            event = b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return
        if route is not None and event:
            await self._reception.take(route, of, said, _as_body(event, of))

    def _segment_settings(self, key: str, of: Head, scope: Scope) -> Answer:
        if self._reception.known([key]) is None:
            return _UNKNOWN_KEY
        return answers.document(browsers.segment_settings(key, of.host.decode("latin-1"), scope["scheme"]))

    def _source_config(self, said: list[str]) -> Answer:
        for key in said:
            source: Source | None = self._reception.known([key])
            if source is not None:
                return answers.document(browsers.rudder_source_config(key, source))
        return _UNKNOWN_KEY


def _as_body(content: bytes, of: Head) -> Receive:
    """Stand in for a body: what came in an address is read as if it had been posted."""
    of.length, of.encoding = None, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    return receive
