"""A TCP proxy of ours between a worker and PostgreSQL: it can cut a connection at the very moment of COMMIT."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import Enum

_COMMIT = b"COMMIT\x00"
_CHUNK = 64 * 1024


class Cut(Enum):
    """Where a connection is cut."""

    BEFORE_THE_SERVER = "before the server sees it"
    """PostgreSQL never sees the COMMIT and rolls back."""
    BEFORE_THE_ANSWER = "before its answer"
    """PostgreSQL has committed, and the client never hears of it."""


class Proxy:
    """Forwards to one server; every `nth` COMMIT is cut, in turns before the server and before the answer.

    To the client both look alike: the connection is gone, and the transaction's outcome unknown.
    """

    def __init__(self, server: tuple[str, int], nth: int, most: int) -> None:
        self._server = server
        self._nth = nth
        self._most = most
        self._commits = 0
        self._armed = False
        self._lock = threading.Lock()
        self.cuts: list[Cut] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def arm(self) -> None:
        """Begin to count."""
        self._armed = True

    def close(self) -> None:
        """Stop to listen and cut every connection."""
        _shut(self._listener)
        with self._lock:
            for one in self._open:
                _shut(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server, timeout=10)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                with self._lock:
                    self._open |= {client, server}
                link = _Link(self, client, server)
                threading.Thread(target=link.upwards, name="proxy-up", daemon=True).start()
                threading.Thread(target=link.downwards, name="proxy-down", daemon=True).start()

    def next_cut(self) -> Cut | None:
        """Count a COMMIT and tell whether it is one to cut."""
        with self._lock:
            self._commits += self._armed
            if not self._armed or len(self.cuts) >= self._most or self._commits % self._nth:
                return None
            cut = Cut.BEFORE_THE_ANSWER if len(self.cuts) % 2 == 0 else Cut.BEFORE_THE_SERVER
            self.cuts.append(cut)
            return cut

    def forget(self, *ends: socket.socket) -> None:
        """Close both ends of a connection."""
        with self._lock:
            self._open.difference_update(ends)
        for one in ends:
            _shut(one)


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._mute = threading.Event()

    def upwards(self) -> None:
        for data in _chunks(self._client):
            # COMMIT travels alone: the client waits for the answer to what came before, and for this one's after.
            cut = self._proxy.next_cut() if data.endswith(_COMMIT) else None
            if cut is Cut.BEFORE_THE_SERVER:
                break
            if cut is Cut.BEFORE_THE_ANSWER:
                self._mute.set()
            if not _send(self._server, data):
                break
            if cut is Cut.BEFORE_THE_ANSWER:
                return
        self._proxy.forget(self._client, self._server)

    def downwards(self) -> None:
        for data in _chunks(self._server):
            # The answer has come, so it is committed; the client does not get it.
            if self._mute.is_set() or not _send(self._client, data):
                break
        self._proxy.forget(self._client, self._server)


def _chunks(source: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            yield data


def _send(target: socket.socket, data: bytes) -> bool:
    try:
        target.sendall(data)
    except OSError:
        return False
    return True


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
