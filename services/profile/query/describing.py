"""How answers that are messages of ours stand in the OpenAPI document: their schemas are those of their types."""

from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Response

from shared.contracts.codec import encode
from shared.runtime.api import refusals

_PLACE = "#/components/schemas/{name}"


def answer(document: msgspec.Struct) -> Response:
    """Send a document."""
    return Response(encode(document), media_type="application/json")


def answers(kind: type[msgspec.Struct], *statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe a route that answers with a document of this type, or refuses with one of these statuses."""
    schema = {"$ref": _PLACE.format(name=kind.__name__)}
    found = {"description": "What was asked for", "content": {"application/json": {"schema": schema}}}
    return {200: found, **refusals(*statuses)}


def describe(app: FastAPI, *kinds: type[msgspec.Struct]) -> None:
    """Add the schemas of these types, and of what they are made of, to the app's document."""
    made = app.openapi
    _, components = msgspec.json.schema_components(kinds, ref_template=_PLACE)

    def openapi() -> dict[str, Any]:
        document = made()
        document["components"]["schemas"].update(components)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # how FastAPI lets a document be extended
