"""A crowd of clients in a process of its own: each sends, waits for its answer, and sends again, as fast as it may."""

import asyncio
import functools
import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

_LENGTH = re.compile(rb"content-length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n")
WARM_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers with 200, all others, seconds, and the time that 99 of 100 answers took at most."""

    answers: int
    failures: int
    seconds: float
    p99_ms: float


class _Client(asyncio.Protocol):
    """One connection that always has one request under way, or sends at its own pace."""

    def __init__(self, crowd: "_Crowd", number: int) -> None:
        self._crowd = crowd
        self._next = number
        self._began = 0.0
        self._transport: asyncio.Transport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        crowd = self._crowd
        if crowd.over.is_set() or self._transport is None:
            return
        self._began = time.perf_counter()
        self._transport.write(crowd.requests[self._next % len(crowd.requests)])
        self._next += crowd.clients

    def data_received(self, data: bytes) -> None:
        # Head and body come one by one; an answer is a few hundred bytes.
        self._heard += data
        length = _LENGTH.search(self._heard)
        if length is None or len(self._heard) < length.end() + int(length[1]):
            return
        now = time.perf_counter()
        self._crowd.answered(now - self._began, good=self._heard.startswith(b"HTTP/1.1 200"))
        self._heard = b""
        pause = self._crowd.pause
        if pause == 0:
            self._send()
        else:
            asyncio.get_running_loop().call_later(max(0.0, self._began + pause - now), self._send)


class _Crowd:
    def __init__(self, requests: list[bytes], clients: int, rate: float) -> None:
        self.requests = requests
        self.clients = clients
        self.pause = clients / rate if rate else 0.0
        self.over = asyncio.Event()
        self.began = self.ended = 0.0
        self.took: list[float] = []
        self.failures = 0
        self.counts = False

    def begin(self) -> None:
        """Count from now on."""
        self.counts, self.began = True, time.perf_counter()

    def end(self) -> None:
        """Send nothing more."""
        self.ended = time.perf_counter()
        self.over.set()

    def answered(self, seconds: float, *, good: bool) -> None:
        if not self.counts:
            return
        if good:
            self.took.append(seconds)
        else:
            self.failures += 1


async def run(port: int, requests: list[bytes], clients: int, seconds: float, rate: float) -> Load:
    """Send for so many seconds after a warm-up; a rate of 0 means as fast as answers come."""
    crowd = _Crowd(requests, clients, rate)
    loop = asyncio.get_running_loop()
    for number in range(clients):
        await loop.create_connection(functools.partial(_Client, crowd, number), "127.0.0.1", port)
    loop.call_later(WARM_SECONDS, crowd.begin)
    loop.call_later(WARM_SECONDS + seconds, crowd.end)
    await crowd.over.wait()
    took = crowd.ended - crowd.began
    ordered = sorted(crowd.took)
    p99 = ordered[int(len(ordered) * 0.99)] * 1000 if ordered else 0.0
    return Load(len(ordered), crowd.failures, took, round(p99, 2))


def main() -> None:
    port, file, clients, seconds, rate = sys.argv[1:]
    requests = Path(file).read_bytes().split(b"\0")
    sys.stdout.write(
        json.dumps(asdict(asyncio.run(run(int(port), requests, int(clients), float(seconds), float(rate)))))
    )


if __name__ == "__main__":
    main()
