"""Clients that are slow, that stop half-way or that are very many: the others are served as if they were not there."""

import json
import resource
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sockets import ask, opened, post, receive, send

REQUEST_SECONDS = 3
CONNECTIONS = 2_100
MANY = 2_000
GATEWAY = {
    "CRM_INGEST_GATEWAY_REQUEST_SECONDS": str(REQUEST_SECONDS),
    "CRM_INGEST_GATEWAY_CONNECTIONS": str(CONNECTIONS),
}


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Let this process have as many sockets open as it needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * CONNECTIONS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def event() -> dict[str, Any]:
    return {"type": "track", "event": "Mug Broken", "userId": "u-1", "messageId": secrets.token_hex(12)}


def request(wire: Wire, value: dict[str, Any]) -> bytes:
    return post("/v1/track", json.dumps(value).encode(), ("X-Write-Key", wire.key))


def check_served(wire: Wire) -> None:
    """Check that a client of good manners is served at once."""
    started = time.monotonic()
    assert ask(wire.gateway.port, request(wire, event())).said["accepted"] == 1
    assert time.monotonic() - started < REQUEST_SECONDS


@contextmanager
def crowd(wire: Wire, number: int) -> Iterator[list[socket.socket]]:
    """Open many connections."""
    with ExitStack() as open_ones:
        yield [open_ones.enter_context(opened(wire.gateway.port)) for _ in range(number)]


@pytest.mark.parametrize("half", ["head", "body"])
def test_a_request_that_stops_half_way_is_ended_in_time_and_holds_nobody_up(wire: Wire, half: str) -> None:
    whole = request(wire, event())
    cut = 30 if half == "head" else len(whole) - 5
    wire.topic.mark()
    with crowd(wire, 50) as clients:
        for client in clients:
            send(client, whole[:cut])
        started = time.monotonic()
        check_served(wire)
        for client in clients:
            answer = receive(client)
            assert (answer.status, answer.said["code"]) == (408, "too_slow")
            assert client.recv(1) == b""
        assert REQUEST_SECONDS - 1 < time.monotonic() - started < 3 * REQUEST_SECONDS
    assert len(wire.topic.readings()) == 1


def test_a_request_that_comes_byte_by_byte_is_ended_in_time_however_often_it_moves(wire: Wire) -> None:
    whole = request(wire, event())
    started = time.monotonic()
    with opened(wire.gateway.port) as client:
        sent = 0
        while sent < len(whole) - 1 and time.monotonic() - started < 4 * REQUEST_SECONDS:
            send(client, whole[sent : sent + 1])
            sent += 1
            time.sleep(0.05)
            if has_answer(client):
                break
        assert receive(client).status == 408
    assert time.monotonic() - started < 3 * REQUEST_SECONDS


def has_answer(client: socket.socket) -> bool:
    client.setblocking(False)  # noqa: FBT003 - the library's own
    try:
        return bool(client.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.settimeout(30)


@pytest.mark.usefixtures("_many_files")
def test_two_thousand_open_connections_hold_nobody_up(wire: Wire) -> None:
    before = wire.gateway.memory()
    with crowd(wire, MANY) as clients:
        check_served(wire)
        for client in clients[::10]:
            send(client, request(wire, event()))
        assert {receive(client).status for client in clients[::10]} == {200}
        check_served(wire)
        assert wire.gateway.memory() - before < 100_000_000
    check_served(wire)


@pytest.mark.usefixtures("_many_files")
def test_one_connection_too_many_is_told_to_come_again(wire: Wire) -> None:
    with crowd(wire, CONNECTIONS) as clients, opened(wire.gateway.port) as further:
        # Those that were there first are served, and only whoever comes on top of them is not.
        send(clients[0], request(wire, event()))
        assert receive(clients[0]).status == 200
        send(further, request(wire, event()))
        answer = receive(further)
        assert (answer.status, answer.said["code"]) == (503, "too_many_connections")
        assert int(answer.headers["retry-after"]) >= 1
    until = time.monotonic() + 10
    while ask(wire.gateway.port, request(wire, event())).status == 503:
        assert time.monotonic() < until, "the gateway still counts connections that are gone"
        time.sleep(0.05)


def test_a_client_that_hangs_up_before_its_answer_costs_nothing(wire: Wire) -> None:
    events = [event() for _ in range(100)]
    for one in events:
        with opened(wire.gateway.port) as client:
            send(client, request(wire, one))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    check_served(wire)
    assert wire.gateway.is_alive()
    assert "Traceback" not in wire.gateway.said()
