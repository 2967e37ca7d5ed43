"""What a client may do to its connection: nothing that keeps it open for ever or is kept without a bound."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from services.ingest.gateway import answers
from services.ingest.gateway.answers import Receive, Scope, Send
from services.ingest.gateway.connections import LARGEST_HEAD, Connection, Patience

IDLE_SECONDS = 5.0
REQUEST_SECONDS = 7.0
GET = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"
CHUNKED = b"POST /v1/batch HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


class _Transport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Read on: what comes is given by hand."""

    def resume_reading(self) -> None:
        """As above."""


class Client:
    """Speaks to a connection whose application answers each request once it has its body."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.refused: list[str] = []
        config = uvicorn.Config(self._answer, interface="asgi3", lifespan="off", log_config=None, access_log=False)
        config.load()
        patience = Patience(10, REQUEST_SECONDS, IDLE_SECONDS, self.refused.append)
        self.connection = Connection(patience, config=config, server_state=ServerState(), app_state={})
        self.transport = _Transport()
        self.connection.connection_made(self.transport)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.scopes.append(scope)
        await answers.say(answers.OK, send, None)

    async def say(self, data: bytes) -> bytes:
        """Send, let the application work, and return what was answered."""
        self.transport.written = b""
        self.connection.data_received(data)
        for _ in range(10):
            await asyncio.sleep(0)
        return self.transport.written

    def after(self, seconds: float) -> bool:
        """Look at the connection so much later; returns whether it was ended."""
        self.connection.sweep(self.connection.loop.time() + seconds)
        return self.transport.closed


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    made.connection.connection_lost(None)


async def test_head_is_answered_at_once_though_no_body_follows(client: Client) -> None:
    said = await client.say(GET.replace(b"GET", b"HEAD"))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert said.endswith(b"\r\n\r\n")
    assert (await client.say(GET)).endswith(answers.OK.body)


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\r"])
async def test_a_blank_line_keeps_no_connection_open_for_ever(client: Client, blank: bytes) -> None:
    assert await client.say(GET)
    await client.say(blank)
    await client.say(blank)
    assert not client.after(REQUEST_SECONDS - 1)
    assert client.after(REQUEST_SECONDS + 1)


async def test_a_request_that_follows_a_blank_line_is_answered_and_may_be_followed_by_another(client: Client) -> None:
    await client.say(GET)
    await client.say(b"\r\n")
    assert await client.say(GET)
    assert not client.after(REQUEST_SECONDS + 1)
    assert await client.say(GET)


async def test_a_header_that_follows_the_body_is_none(client: Client) -> None:
    assert await client.say(CHUNKED + b"authorization: Bearer x\r\n\r\n")
    names: list[Any] = [name for name, _ in client.scopes[0]["headers"]]
    assert names == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("line", [b"a: bbbbbbbbbbbbbbbb\r\n", b"b"])
async def test_what_follows_a_body_has_a_bound(client: Client, line: bytes) -> None:
    await client.say(CHUNKED + b"a: ")
    said = b""
    for _ in range(LARGEST_HEAD // 4096 + 1):
        said += await client.say(line * (4096 // len(line)))
    assert said.startswith(b"HTTP/1.1 431 ")
    assert client.transport.closed


async def test_a_body_in_many_pieces_is_no_head_that_never_ends(client: Client) -> None:
    await client.say(CHUNKED.removesuffix(b"0\r\n"))
    for _ in range(200):
        await client.say(b"400\r\n%s\r\n" % (b" " * 1024))
    assert (await client.say(b"0\r\n\r\n")).endswith(answers.OK.body)
