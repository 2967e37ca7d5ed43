"""The gateway's OpenAPI document, from the same table as its routes: `python -m services.ingest.gateway.openapi`."""

import re
import sys
from http import HTTPStatus

import msgspec

from services.ingest.domain.posts import SNOWPLOW
from services.ingest.gateway import routes
from services.ingest.gateway.openapi_parts import (
    COMPONENTS,
    SECURITY,
    Part,
    body,
    json_answer,
    picture,
    refusal,
)
from services.ingest.gateway.routes import ADDRESSES, Address, Place

_ABOUT = """\
Takes events over HTTP, as the SDKs of Segment, RudderStack and Snowplow send them. A 200 means that Kafka has the
events on every in-sync replica. One bad event never costs the others anything: it is quarantined by itself, and counted
in the answer. A request is refused only when nothing of it can be stored; what may be sent again says when.

Every path may also be asked for with a slash at its end. `OPTIONS` is answered with 204 and what a browser may send,
`HEAD` like `GET`. What is wrong before a request has come to its end is answered with 400 (`bad_request`), 408
(`too_slow`), 431 (`head_too_large`) or 503 (`too_many_connections`)."""

_REFUSED: dict[HTTPStatus, tuple[dict[str, str], bool]] = {
    HTTPStatus.BAD_REQUEST: (
        {"not_json": "the body is no JSON object", "broken_encoding": "the body can't be inflated"},
        False,
    ),
    HTTPStatus.UNAUTHORIZED: ({"unknown_key": "no source has this write key"}, False),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ({"too_large": "the body is over the limit"}, False),
    HTTPStatus.TOO_MANY_REQUESTS: (
        {"too_fast": "the source sends more than was agreed", "busy": "too much is under way"},
        True,
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: ({"failed": "the gateway failed; nothing is known to be stored"}, True),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        {"not_written": "Kafka has not confirmed the events", "starting": "the sources are not known yet"},
        True,
    ),
}
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
_PREFLIGHT: Part = {
    "summary": "What a browser may send.",
    "responses": {"204": {"description": "Any origin, with the headers of the SDKs."}},
}
_DONE = json_answer("Done.", {"$ref": "#/components/schemas/done"})
_ANY = json_answer("A JSON object.", {"type": "object"})
_UNKNOWN = (HTTPStatus.UNAUTHORIZED,)
_PLAIN: dict[Place, tuple[str, str, Part]] = {
    Place.BROWSER_FIGURES: ("Take analytics-next's figures of itself, and keep nothing.", "browsers", _DONE),
    Place.ALIVE: ("Say that somebody is there.", "operation", _DONE),
    Place.DESCRIPTION: ("Give this document.", "operation", _ANY),
}


def document() -> Part:
    """Describe every address of the gateway with all that it answers."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rapport gateway",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "/"},
            {
                "url": "/s/{key}",
                "description": "For trackers that can be given an address and nothing else.",
                "variables": {"key": {"default": "rk_key", "description": "The write key."}},
            },
        ],
        "paths": {
            address.path: {
                address.method.lower(): {"operationId": _name(address), **_operation(address)},
                "options": {"operationId": f"options_{_name(address)}", **_PREFLIGHT},
            }
            for address in ADDRESSES
        },
        "components": COMPONENTS,
    }


def description() -> str:
    """Write the document as JSON."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n"


def _operation(address: Address) -> Part:
    if address.place is Place.EVENTS:
        return _posted(address)
    if address.place in _PLAIN:
        summary, tag, answer = _PLAIN[address.place]
        return {"summary": summary, "tags": [tag], "security": [{}], "responses": {"200": answer}}
    return _asked(address.place)


def _asked(place: Place) -> Part:
    match place:
        case Place.TRACKED:
            summary, tag = "Take Snowplow's event from the query.", "snowplow"
            parameters = [_query("e", "With others: the event as pairs of Snowplow's tracker protocol.")]
            answers = {"200": picture("Kafka has the event."), **_refusals(snowplow=True)}
        case Place.PIXEL:
            summary, tag = "Take a call from the query, and answer with a picture whatever happens.", "calls"
            kind = _path("kind", "The call's type, or its first letter.", sorted(routes.PIXELS))
            parameters = [kind, _query("data", "The call as base64.")]
            answers = {"200": picture("A picture, stored or not."), **_failed()}
        case Place.SEGMENT_SETTINGS:
            summary, tag = "Tell analytics-next where to send.", "browsers"
            parameters = [_path("key", "The write key.")]
            answers = {"200": _ANY, **_refusals(only=_UNKNOWN), **_failed()}
        case _:
            summary, tag = "Tell RudderStack's browser SDK what its source is.", "browsers"
            parameters = []
            answers = {"200": _ANY, **_refusals(only=_UNKNOWN), **_failed()}
    return {"summary": summary, "tags": [tag], "security": SECURITY, "parameters": parameters, "responses": answers}


def _posted(address: Address) -> Part:
    route = routes.EVENTS[address.path]
    snowplow = route.form is SNOWPLOW
    kind = "snowplow" if snowplow else route.type or "batch"
    summary = (
        "Take Snowplow's events." if snowplow else f"Take one {kind} call." if route.type else "Take a batch of calls."
    )
    counted = {"$ref": "#/components/schemas/counted"}
    return {
        "summary": summary,
        "tags": ["snowplow" if snowplow else "calls"],
        "security": SECURITY,
        "requestBody": body(kind),
        "responses": {
            "200": json_answer("Kafka has every event; how many are good.", counted),
            **_refusals(snowplow=snowplow),
        },
    }


def _failed() -> Part:
    return _refusals(only=(HTTPStatus.INTERNAL_SERVER_ERROR,))


def _refusals(*, snowplow: bool = False, only: tuple[HTTPStatus, ...] = tuple(_REFUSED)) -> Part:
    found: Part = {}
    for status in only:
        codes, again = _REFUSED[status]
        if snowplow and status is HTTPStatus.BAD_REQUEST:
            # Its trackers send for ever what they are told with 413.
            codes = {**codes, **_REFUSED[_TOO_LARGE][0]}
        if not (snowplow and status is _TOO_LARGE):
            found[str(status.value)] = refusal(codes, again=again)
    return found


def _name(address: Address) -> str:
    """Name an operation for tools that make methods of it."""
    return "_".join([address.method.lower(), *re.findall(r"\w+", address.path)])


def _path(name: str, text: str, values: list[str] | None = None) -> Part:
    schema: Part = {"type": "string"} if values is None else {"type": "string", "enum": values}
    return {"name": name, "in": "path", "required": True, "description": text, "schema": schema}


def _query(name: str, text: str) -> Part:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}


if __name__ == "__main__":
    sys.stdout.write(description())
