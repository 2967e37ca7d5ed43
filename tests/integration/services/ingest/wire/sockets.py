"""Bytes over a socket, as they are written, and the answer as it comes."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATIENCE_SECONDS = 30.0
GO_ON = b"HTTP/1.1 100"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, headers in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """Return the body's JSON."""
        return json.loads(self.body)


def opened(port: int) -> socket.socket:
    """Open a connection to the gateway."""
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


def ask(port: int, request: bytes, *, method: str = "POST") -> Answer:
    """Send bytes over a connection of their own, and return the answer to them."""
    with opened(port) as client:
        send(client, request)
        return receive(client, method)


def send(client: socket.socket, data: bytes) -> None:
    """Send bytes; a gateway that refuses a request by its head alone may hang up before it is whole."""
    try:
        client.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(client: socket.socket, method: str = "POST") -> Answer:
    """Read one answer; what is said about its length is believed, and that it may go on is skipped."""
    body, head = b"", GO_ON
    while head.startswith(GO_ON):
        while b"\r\n\r\n" not in body:
            part = client.recv(65536)
            assert part, f"no answer but {body!r}"
            body += part
        head, _, body = body.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
    while len(body) < length:
        part = client.recv(65536)
        assert part, "the answer ends before its end"
        body += part
    return Answer(int(first.split(" ")[1]), headers, body)


def post(path: str, body: bytes, *headers: tuple[str, str]) -> bytes:
    """Write a request with a body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
