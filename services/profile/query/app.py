"""The composition root of the query API: routes, a pool, and search kept up beside them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from fastapi import FastAPI

from services.profile.adapters.rule_files import identity_rules, lifecycle_stages
from services.profile.query import deciding, routes
from services.profile.query.describing import describe
from services.profile.query.doors import new_pool
from services.profile.query.drawing import Drawing
from services.profile.query.settings import SERVICE, ProfileApiSettings
from services.profile.settings import RulesSettings, StagesSettings
from shared.runtime.api import Lifespan, build_api
from shared.runtime.api_keys import ApiKeys
from shared.runtime.api_readiness import database_answers
from shared.runtime.api_server import run_api
from shared.runtime.health import Report
from shared.runtime.schema_revision import history_of, require_current
from shared.runtime.settings import settings_for
from shared.runtime.watchdog import within

CLOSE_SECONDS = 5.0
_DESCRIPTION = "Customers: all that is known of one, what it was made of, and who is known by a name or an address."


def application(keys: ApiKeys, ready: Callable[[], Awaitable[Report]], lifespan: Lifespan | None = None) -> FastAPI:
    """Make the app with its routes; `app.state` gets `pool`, `secret`, `database_url` and `rules` from the lifespan."""
    app = build_api("Rapport customers", _DESCRIPTION, keys, ready, lifespan)
    app.include_router(routes.router)
    app.include_router(deciding.router)
    describe(app, *routes.DOCUMENTS, *deciding.DOCUMENTS)
    return app


def compose(settings: ProfileApiSettings) -> FastAPI:
    """Wire the API.

    Raises:
        SchemaDiffersError, DatabaseUnreachableError: the tables are not those that this version needs.
        WrongRulesError: a file of rules can't be read, or is faulty.
    """
    require_current(settings.database_url.get_secret_value(), history_of("profile"))
    rules = identity_rules(settings_for("profile", RulesSettings).identity_rules)
    stages = lifecycle_stages(settings_for("profile", StagesSettings).lifecycle_stages)
    pool = new_pool(settings)
    drawing = Drawing(pool)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool, app.state.secret, app.state.stages = pool, settings.secret, stages
        app.state.database_url, app.state.rules = settings.database_url.get_secret_value(), rules
        await asyncio.to_thread(pool.open)
        task = asyncio.create_task(drawing.run(), name="search-terms")
        try:
            yield
        finally:
            drawing.close()
            await within(settings.drain_seconds, "stop drawing terms", task)
            await within(CLOSE_SECONDS, "close the database", asyncio.to_thread(pool.close))

    async def ready() -> Report:
        return Report((await asyncio.to_thread(database_answers, pool), drawing.check()))

    return application(settings.keys, ready, lifespan)


def main() -> NoReturn:
    """Serve the query API until a signal."""
    run_api(SERVICE, ProfileApiSettings, compose)
