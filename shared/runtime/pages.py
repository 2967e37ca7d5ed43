"""The pages for operators: metrics and health of one process, over HTTP."""

from typing import Any

import mode
from aiohttp import web

from shared.runtime.health import Health, Report
from shared.runtime.listening import PortTakenError, url_of
from shared.runtime.logs import logger
from shared.runtime.metrics import EXPOSITION_TYPE, Metrics

log = logger(__name__)

SHUTDOWN_SECONDS = 1.0


class Pages(mode.Service):
    """Serves `/metrics`, `/livez` and `/readyz` and nothing else, readable by anybody who reaches the port.

    It replaces Faust's web server, which would serve tables and routes without asking who is there, and which can't
    tell which free port it took.
    """

    def __init__(self, host: str, port: int, health: Health, metrics: Metrics, **kwargs: Any) -> None:
        self._host = host
        self._port = port
        self._health = health
        self._metrics = metrics
        self._runner: web.AppRunner | None = None
        self.url = ""
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        """Listen.

        Raises:
            PortTakenError: something else listens there.
        """
        site_app = web.Application()
        site_app.add_routes(
            [
                web.get("/metrics", self._show_metrics),
                web.get("/livez", self._show_liveness),
                web.get("/readyz", self._show_readiness),
            ]
        )
        self._runner = web.AppRunner(site_app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as taken:
            raise PortTakenError(self._host, self._port, "CRM_WEB_PORT", taken) from taken
        self.url = url_of(self._runner.addresses[0][:2])
        log.info("Pages are served", action="pages.listen", url=self.url)

    async def on_shutdown(self) -> None:
        """Stop to listen, last of all: until then the pages tell how the stop goes."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": EXPOSITION_TYPE})

    async def _show_liveness(self, _request: web.Request) -> web.Response:
        return _answer(self._health.liveness())

    async def _show_readiness(self, _request: web.Request) -> web.Response:
        return _answer(self._health.readiness())


def _answer(report: Report) -> web.Response:
    return web.Response(body=report.to_json(), status=report.status_code, content_type="application/json")
