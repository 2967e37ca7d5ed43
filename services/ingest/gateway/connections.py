"""Connections that cannot hold us up: each has its time to speak and to listen, and heads and numbers have bounds."""

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from services.ingest.gateway import answers
from services.ingest.gateway.answers import Answer, Receive, Scope, Send
from services.ingest.gateway.observing import Refusal

LARGEST_HEAD = 96 * 1024
"""Bytes of a request's line and headers: an event of 32 KB as base64 in an address fits."""

_END_OF_HEAD = b"\r\n\r\n"
_AT_ONCE = struct.pack("ii", 1, 0)

_BAD_REQUEST = answers.refused(400, "bad_request", "this is no HTTP/1.1")
_HEAD_TOO_LARGE = answers.refused(431, "head_too_large", f"address and headers have at most {LARGEST_HEAD} bytes")
_TOO_SLOW = answers.refused(408, "too_slow", "the request did not come to its end in time")
_TOO_MANY = answers.refused(503, "too_many_connections", "too many connections are open", retry_after=1)


@dataclass(frozen=True, slots=True)
class Patience:
    """How many connections there may be, and how long one may take, in seconds."""

    connections: int
    request_seconds: float
    idle_seconds: float
    refused: Callable[[Refusal], None]


class _Joined:
    """A transport that sends the head of an answer with its body: each write is a call into the kernel."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, unless it is a head whose body follows at once."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(_END_OF_HEAD) and b"\r\ncontent-length: " in data:
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that no body follows."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what is held, and close."""
        self.flush()
        self._transport.close()


class Connection(HttpToolsProtocol):
    """One connection of uvicorn's, with a deadline for whatever it waits for; `sweep` looks at them."""

    def __init__(self, patience: Patience, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._patience = patience
        self._in_head = True
        self._unread = 0
        self._steps = 0
        self._speaks_by = math.inf
        self._listens_by = math.inf

    def connection_made(self, transport: Any) -> None:
        """Take the connection; beyond the number that is allowed, only to say so."""
        super().connection_made(cast("asyncio.Transport", _Joined(transport)))
        self._speaks_by = self.loop.time() + self._patience.idle_seconds
        if len(self.connections) > self._patience.connections:
            self.app = self._say_too_many

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head never ends, or what comes after a body."""
        steps = self._steps
        super().data_received(data)
        if self._steps != steps or self.transport.is_closing():
            return
        self._unread += len(data)
        if self._unread > LARGEST_HEAD:
            self._end_with(_HEAD_TOO_LARGE)
        elif self._speaks_by == math.inf and self.cycle.response_complete:
            # Blank lines begin no request, and yet they end the server's wait for one.
            self._speaks_by = self.loop.time() + self._patience.request_seconds

    def on_message_begin(self) -> None:
        """Start a request's clock."""
        super().on_message_begin()
        self._step()
        self._speaks_by = self.loop.time() + self._patience.request_seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; one that follows the body is none, for whoever looked at the head has not seen it."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._in_head = False
        self._step()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._step()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the clock: the next word is ours."""
        self._in_head = True
        self._step()
        self._speaks_by = math.inf
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Send what is held: HEAD is answered without a body."""
        cast("_Joined", self.transport).flush()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Start the clock of a client that does not read."""
        self._listens_by = self.loop.time() + self._patience.request_seconds
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop it."""
        self._listens_by = math.inf
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are no JSON
        """Say that this is no HTTP."""
        self._end_with(_BAD_REQUEST)

    def sweep(self, now: float) -> None:
        """End the connection if it is past a deadline; `now` is the loop's time."""
        if now > self._listens_by:
            self._patience.refused(Refusal.SLOW)
            self._cut()
        elif now > self._speaks_by and not self.flow.read_paused:
            # While we do not read, it is not the client who is slow.
            self._patience.refused(Refusal.SLOW)
            self._end_with(_TOO_SLOW)

    def _step(self) -> None:
        """Note that a request came further; what comes without that is counted."""
        self._steps += 1
        self._unread = 0

    def _cut(self) -> None:
        """End the connection without a farewell: else the kernel keeps for long what the client does not read."""
        opened = self.transport.get_extra_info("socket")
        if opened is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def _end_with(self, answer: Answer) -> None:
        self._speaks_by = math.inf
        # Its buffer may never empty.
        self._listens_by = min(self._listens_by, self.loop.time() + self._patience.request_seconds)
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = b"".join(b"%s: %s\r\n" % pair for pair in answer.headers)
            length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(answer.body)
            self.transport.write(STATUS_LINE[answer.status] + head + length + answer.body)
        self.transport.close()

    async def _say_too_many(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self._patience.refused(Refusal.CONNECTIONS)
        closing = Answer(_TOO_MANY.status, _TOO_MANY.body, (*_TOO_MANY.headers, (b"connection", b"close")))
        await answers.say(closing, send, None)
