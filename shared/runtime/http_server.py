"""uvicorn as a part of a process of ours: it serves at a port that was taken before, until it is told to stop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class HttpServer(uvicorn.Server):
    """uvicorn without its signal handlers: the watchdog's thread takes the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def serve_until(self, stopping: asyncio.Event, taken: socket.socket) -> BaseException | None:
        """Serve until told to stop or until an error, which is returned; what is under way is finished first."""
        serving = asyncio.create_task(self.serve(sockets=[taken]), name="serve")
        waiting = asyncio.create_task(stopping.wait(), name="stop-signal")
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        waiting.cancel()
        await asyncio.wait({serving, waiting})
        return serving.exception()
