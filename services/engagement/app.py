"""The composition root of engagement: the one file that knows how its parts are put together."""

import asyncio
import contextlib
from datetime import datetime
from functools import partial
from typing import NoReturn

import mode

from services.engagement.adapters.postgres_announcements import PostgresOutlet
from services.engagement.adapters.postgres_book import PostgresBook
from services.engagement.adapters.postgres_messages import PostgresLedger
from services.engagement.adapters.postgres_totals import count
from services.engagement.adapters.smtp import SmtpMailer
from services.engagement.campaigns import load_campaigns
from services.engagement.domain.contact import address_hash
from services.engagement.gauges import Gauges
from services.engagement.handlers import EngagementHandler, Planning
from services.engagement.sending import Pace, Sender
from services.engagement.settings import EngagementSettings
from shared.contracts.topics import CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.logs import logger
from shared.runtime.repeated import Repeated
from shared.runtime.retry import Backoff, Verdict, verdict
from shared.runtime.watchdog import within
from shared.runtime.worker import Runtime, Service, run

log = logger(__name__)

# Each statement names its rows by key; on the statistics of an empty table the planner would read whole tables.
SESSION = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

IDLE_SECONDS = 0.2
REFRESH_SECONDS = 5.0
REST = 20


def service(settings: EngagementSettings) -> Service:
    """Describe engagement to the runtime."""
    planning = Planning(load_campaigns(settings.campaigns_dir), partial(address_hash, settings.secret))
    woken = asyncio.Event()
    return Service(
        name="engagement",
        inputs=(SEGMENT_CHANGES, CUSTOMERS),
        outputs=(OUTREACH,),
        handler=lambda _runtime: EngagementHandler(planning, PostgresBook(), woken.set),
        outlet=lambda _runtime: PostgresOutlet(),
        background=lambda runtime: [Sending(runtime, settings, planning, woken), _counting(runtime)],
        session=SESSION,
    )


class Sending(mode.Service):
    """Runs the sender: at once when a batch planned something, else a few times a second."""

    def __init__(
        self, runtime: Runtime, settings: EngagementSettings, planning: Planning, woken: asyncio.Event
    ) -> None:
        super().__init__()
        self._runtime = runtime
        self._settings = settings
        self._woken = woken
        self._mailer = SmtpMailer(settings.server, settings.smtp_connections, settings.smtp_timeout_seconds)
        self._idle = asyncio.Event()
        self._sender = Sender(
            planning,
            PostgresLedger(runtime.pool),
            self._mailer,
            runtime.transactions,
            runtime.clock,
            Pace(settings.send_batch, settings.retry_policy),
            self._accepted,
        )

    @mode.Service.task
    async def _send_until_stopped(self) -> None:
        backoff = Backoff()
        try:
            while not self.should_stop:
                await self._pause(await self._round(backoff))
        finally:
            self._idle.set()

    async def on_stop(self) -> None:
        """Let the round that is under way come to its end, then take leave of the mail server."""
        self._woken.set()
        await within(self._settings.drain_seconds, "finish sending", self._idle.wait())
        await within(2, "close mail connections", self._mailer.close())

    async def _round(self, backoff: Backoff) -> float:
        try:
            sent = await self._sender.round()
        except Exception as error:
            if verdict(error) is not Verdict.RETRY:
                raise
            if backoff.failures == 0:
                log.warning("Sending waits", action="send.wait", exc_info=error)
            return backoff.pause()
        if backoff.failures:
            log.info("Sending goes on", action="send.resume")
        backoff.succeeded()
        return 0.0 if sent else IDLE_SECONDS

    async def _pause(self, seconds: float) -> None:
        if seconds and not self.should_stop:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
        self._woken.clear()

    def _accepted(self, caused_at: datetime) -> None:
        latency = (self._runtime.clock.now() - caused_at).total_seconds()
        self._runtime.metrics.histogram("crm_end_to_end_latency_seconds", stage="outreach").observe(max(latency, 0.0))


def _counting(runtime: Runtime) -> Repeated:
    """Count the ledger every few seconds, and never for more than a twentieth of the time."""
    gauges = Gauges(runtime.metrics)

    async def look() -> None:
        lanes = runtime.claims.lanes
        totals = await count(runtime.pool, lanes)
        gauges.show(totals, lanes, runtime.clock.now())

    return Repeated(look, REFRESH_SECONDS, "Messages could not be counted", "metrics.wait", rest=REST)


def main() -> NoReturn:
    """Run engagement until a signal."""
    run("engagement", EngagementSettings, service)
