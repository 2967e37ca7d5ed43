"""The query API under test: the real app on a real PostgreSQL."""

from typing import Any

import httpx
from fastapi import FastAPI

from services.profile.query.app import compose
from services.profile.query.settings import ProfileApiSettings
from shared.runtime.api_keys import Role
from tests.integration.serving import KEYS, WRITTEN_KEYS, by, calling, eventually
from tests.property.services.profile.strategies import SECRET

__all__ = ["KEYS", "api", "by", "calling", "eventually", "get", "settings_of"]


def settings_of(database_url: str) -> ProfileApiSettings:
    """Make settings with a key for each role."""
    settings = {
        "database_url": database_url,
        "kafka_bootstrap_servers": "127.0.0.1:1",
        "api_keys": WRITTEN_KEYS,
        "identity_secret": SECRET.decode(),
    }
    return ProfileApiSettings.model_validate(settings)


def api(database_url: str) -> FastAPI:
    """Compose the API as its process does."""
    return compose(settings_of(database_url))


def get(client: httpx.Client, path: str, role: Role = Role.READ, **asked: Any) -> httpx.Response:
    """Ask as a role."""
    return client.get(path, headers=by(role), params=asked)
