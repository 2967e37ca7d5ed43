"""The admin API under test: the real app on a real PostgreSQL."""

from typing import Any

import httpx
from fastapi import FastAPI

from services.ingest.admin.app import compose
from services.ingest.admin.settings import IngestAdminSettings
from shared.runtime.api_keys import Role
from tests.integration.serving import KEYS, WRITTEN_KEYS, by, calling

__all__ = ["KEYS", "api", "by", "call", "calling"]


def api(database_url: str, kafka: str) -> FastAPI:
    """Compose the API as its process does."""
    return compose(
        IngestAdminSettings.model_validate(
            {"database_url": database_url, "kafka_bootstrap_servers": kafka, "api_keys": WRITTEN_KEYS, "lanes": 4}
        )
    )


def call(client: httpx.Client, role: Role, method: str, path: str, **how: Any) -> httpx.Response:
    """Call as a role and return the answer."""
    return client.request(method, path, headers=by(role), **how)
