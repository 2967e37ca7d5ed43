"""uvicorn as a part of a process of ours: it serves at a port that was taken before, until it is told to stop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


def config_of(app: Callable[..., Any], drain_seconds: float, **further: Any) -> uvicorn.Config:
    """Configure uvicorn as all of ours are: it logs nothing itself, believes no proxy's header, and tells no name.

    What is under way when it is told to stop has `drain_seconds`, in whole seconds and at least one.
    """
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(drain_seconds) or 1,
        **further,
    )


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
