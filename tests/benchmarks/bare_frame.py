"""The least that any gateway must do: Starlette reads a batch with msgspec and answers; nothing is kept."""

import sys

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class _Event(msgspec.Struct):
    type: str
    event: str
    userId: str  # noqa: N815 - as on the wire
    messageId: str  # noqa: N815 - as on the wire
    timestamp: str
    properties: dict[str, object]


class _Batch(msgspec.Struct):
    batch: list[_Event]


_decode = msgspec.json.Decoder(_Batch).decode


async def _take(request: Request) -> Response:
    batch = _decode(await request.body())
    answer = msgspec.json.encode({"success": True, "accepted": len(batch.batch), "quarantined": 0})
    return Response(answer, media_type="application/json")


app = Starlette(routes=[Route("/v1/batch", _take, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), http="httptools", log_level="error", access_log=False)
