"""The admin API under test: the real app on a real PostgreSQL and a real port, with a key for each role."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from services.ingest.admin.app import compose
from services.ingest.admin.settings import IngestAdminSettings
from shared.runtime.api_keys import Role, hashed
from tests.integration.services.ingest.worker import eventually

KEYS = {role: f"the {role} key of a test" for role in Role}


def api(database_url: str, kafka: str) -> FastAPI:
    """Compose the API as its process does."""
    keys = [{"name": role.value, "role": role.value, "sha256": hashed(key)} for role, key in KEYS.items()]
    return compose(
        IngestAdminSettings.model_validate(
            {"database_url": database_url, "kafka_bootstrap_servers": kafka, "api_keys": json.dumps(keys), "lanes": 4}
        )
    )


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


def call(client: httpx.Client, role: Role, method: str, path: str, **how: Any) -> httpx.Response:
    """Call as a role and return the answer."""
    return client.request(method, path, headers=by(role), **how)
