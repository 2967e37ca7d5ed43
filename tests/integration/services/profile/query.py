"""The query API under test: the real app on a real PostgreSQL and a real port, with a key for each role."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from services.profile.query.app import compose
from services.profile.query.settings import ProfileApiSettings
from shared.runtime.api_keys import Role, hashed
from tests.property.services.profile.strategies import SECRET

KEYS = {role: f"the {role} key of a test" for role in Role}
PATIENCE_SECONDS = 30.0


def settings_of(database_url: str) -> ProfileApiSettings:
    """Make settings with a key for each role."""
    keys = [{"name": role.value, "role": role.value, "sha256": hashed(key)} for role, key in KEYS.items()]
    settings = {
        "database_url": database_url,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "api_keys": json.dumps(keys),
        "identity_secret": SECRET.decode(),
    }
    return ProfileApiSettings.model_validate(settings)


def api(database_url: str) -> FastAPI:
    """Compose the API as its process does."""
    return compose(settings_of(database_url))


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


def get(client: httpx.Client, path: str, role: Role = Role.READ, **asked: Any) -> httpx.Response:
    """Ask as a role."""
    return client.get(path, headers=by(role), params=asked)


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < ends_at, "it never came to be"
        time.sleep(0.02)
