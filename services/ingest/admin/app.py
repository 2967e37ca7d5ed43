"""The composition root of the admin API: routes, a pool, and replays that go on in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from fastapi import FastAPI

from services.ingest.admin import quarantine_routes, source_routes
from services.ingest.admin.background import BackgroundReplays
from services.ingest.admin.doors import connect, new_pool
from services.ingest.admin.settings import SERVICE, IngestAdminSettings
from shared.runtime.api import Lifespan, build_api
from shared.runtime.api_keys import ApiKeys
from shared.runtime.api_readiness import database_answers
from shared.runtime.api_server import run_api
from shared.runtime.health import Report
from shared.runtime.schema_revision import history_of, require_current
from shared.runtime.watchdog import within

CLOSE_SECONDS = 5.0
_DESCRIPTION = "What was refused, by cause; mended, replayed or discarded. Who may send, with which keys."


def application(keys: ApiKeys, ready: Callable[[], Awaitable[Report]], lifespan: Lifespan | None = None) -> FastAPI:
    """Make the app with its routes; `app.state` gets `pool` and `replays` from the lifespan."""
    app = build_api("Rapport ingest", _DESCRIPTION, keys, ready, lifespan)
    app.include_router(quarantine_routes.router)
    app.include_router(source_routes.router)
    return app


def compose(settings: IngestAdminSettings) -> FastAPI:
    """Wire the API.

    Raises:
        SchemaDiffersError, DatabaseUnreachableError: the tables are not those that this version needs.
    """
    require_current(settings.database_url.get_secret_value(), history_of("ingest"))
    return build(settings)


def build(settings: IngestAdminSettings) -> FastAPI:
    """Wire the API onto tables that are as this version needs them."""
    pool = new_pool(settings)
    replays = BackgroundReplays(settings, lambda: connect(settings))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool, app.state.replays = pool, replays
        await asyncio.to_thread(pool.open)
        try:
            yield
        finally:
            await within(settings.drain_seconds, "stop the replays", replays.close())
            await within(CLOSE_SECONDS, "close the database", asyncio.to_thread(pool.close))

    async def ready() -> Report:
        return Report((await asyncio.to_thread(database_answers, pool),))

    return application(settings.keys, ready, lifespan)


def main() -> NoReturn:
    """Serve the admin API until a signal."""
    run_api(SERVICE, IngestAdminSettings, compose)
