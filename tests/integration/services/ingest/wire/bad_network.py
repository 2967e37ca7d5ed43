"""An HTTP proxy between an SDK and the gateway that misbehaves for a while, and forwards from then on."""

import http.client
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with a status of our own, and forward nothing."""

    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class CutTheAnswer:
    """Forward, wait until the gateway has answered, and hang up instead of passing it on."""


@dataclass(frozen=True, slots=True)
class CutTheRequest:
    """Hang up without forwarding anything."""


Fault = Refuse | CutTheAnswer | CutTheRequest


@dataclass
class BadNetwork:
    """Does one fault for each of the first requests, in order; `statuses` are what the gateway has answered."""

    port: int
    faults: Sequence[Fault]
    address: str = ""
    done: int = 0
    statuses: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> Fault | None:
        """Tell what is to be done with a request; nothing if it is to be forwarded."""
        with self.lock:
            if self.done == len(self.faults):
                return None
            self.done += 1
            return self.faults[self.done - 1]

    def ask(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        """Send a request on to the gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LATE_SECONDS)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            self.statuses.append(answer.status)
            return answer.status, answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    network: BadNetwork

    def do_POST(self) -> None:
        self._pass_on()

    def do_GET(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        fault = self.network.next_fault()
        match fault:
            case Refuse(status, retry_after):
                self._answer(status, b'{"success":false,"code":"busy","message":"later"}', retry_after)
            case CutTheRequest():
                self.close_connection = True
            case _:
                try:
                    status, said = self.network.ask(self.command, self.path, self.headers.items(), body)
                except OSError:
                    self.close_connection = True
                    return
                if fault is None:
                    self._answer(status, said, None)
                else:
                    self.close_connection = True

    def _answer(self, status: int, body: bytes, retry_after: int | None) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if retry_after is not None:
            self.send_header("retry-after", str(retry_after))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are what this is for."""


@contextmanager
def bad_network(port: int, faults: Sequence[Fault]) -> Iterator[BadNetwork]:
    """Run a proxy in front of the gateway at a port."""
    network = BadNetwork(port, faults)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"network": network}))
    network.address = f"http://127.0.0.1:{server.server_address[1]}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield network
    finally:
        server.shutdown()
        server.server_close()
        serving.join(10)
