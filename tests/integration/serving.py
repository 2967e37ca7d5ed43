"""An API under test: the real app on a real port, with a key for each role."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI

from shared.runtime.api_keys import Role, hashed

KEYS = {role: f"the {role} key of a test" for role in Role}
WRITTEN_KEYS = json.dumps(
    [{"name": role.value, "role": role.value, "sha256": hashed(key)} for role, key in KEYS.items()]
)
"""The keys as a setting has them."""
PATIENCE_SECONDS = 30.0


@contextmanager
def calling(app: FastAPI) -> Iterator[httpx.Client]:
    """Serve the app on a free port for as long as it is called."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(app, ws="none", lifespan="on", log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([taken],))
        thread.start()
        try:
            eventually(lambda: server.started or not thread.is_alive())
            with httpx.Client(base_url=address, timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(30)


def by(role: Role) -> dict[str, str]:
    """Return the headers of a caller."""
    return {"Authorization": f"Bearer {KEYS[role]}"}


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends_at, "it never came to be"
        time.sleep(0.02)
