"""A service as it runs: its parts wired once, in a Faust app that starts and stops them in order."""

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, NoReturn, TypeVar

import mode
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.contracts.topics import Topic
from shared.runtime.batch import DeadLetterPolicy, Parts, Processor
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.database import new_pool
from shared.runtime.dead_letters import OPEN_DEAD_LETTERS
from shared.runtime.failpoints import Failpoints, failpoints_for
from shared.runtime.fuse import Fuse, Limits
from shared.runtime.group import Group
from shared.runtime.handler import Handler, Outlet
from shared.runtime.health import Health
from shared.runtime.lanes import Claims
from shared.runtime.metric import Metric
from shared.runtime.metrics import Metrics
from shared.runtime.observe import BatchObserver
from shared.runtime.producing import Producing
from shared.runtime.publisher import Publisher
from shared.runtime.schema_revision import History, history_of, require_current
from shared.runtime.session import Membership
from shared.runtime.settings import RuntimeSettings
from shared.runtime.shell import ServiceApp, build_app, run_service
from shared.runtime.silent_outlet import SilentOutlet
from shared.runtime.topic_admin import TopicAdmin
from shared.runtime.transaction import Transactions
from shared.runtime.watchdog import within

S = TypeVar("S", bound=RuntimeSettings)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a service's own parts may use: its handler, and whatever it runs in the background."""

    settings: RuntimeSettings
    pool: AsyncConnectionPool[AsyncConnection]
    claims: Claims
    transactions: Transactions
    clock: Clock
    metrics: Metrics
    failpoints: Failpoints
    health: Health


def _nothing(_runtime: Runtime) -> Sequence[mode.Service]:
    return ()


def _silent(_runtime: Runtime) -> Outlet:
    return SilentOutlet()


@dataclass(frozen=True, slots=True)
class Service:
    """What makes a service: its topics and its handler; an outlet if it has publications.

    `stage` names the freshness that its commits are measured by; `session` are PostgreSQL settings for its connections;
    `background` builds services of its own, which start after the consumer and stop before it; `open_dead_letters` asks
    for reason and count of those that nobody has dealt with, where the handler keeps them.
    """

    name: str
    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]
    handler: Callable[[Runtime], Handler[Any, Any, Any, Any]]
    outlet: Callable[[Runtime], Outlet] = _silent
    background: Callable[[Runtime], Sequence[mode.Service]] = _nothing
    stage: str | None = None
    session: Mapping[str, str] = field(default_factory=dict)
    dead_letters: DeadLetterPolicy = DeadLetterPolicy.RUNTIME_KEEPS
    open_dead_letters: LiteralString = OPEN_DEAD_LETTERS
    gauges: Sequence[Metric] = ()


def run(name: str, kind: type[S], service: Callable[[S], Service], history: History | None = None) -> NoReturn:
    """Run a service until a signal or an error (`shared.runtime.shell.run_service`).

    Its schema must be at the newest revision of `history`, by default the one in the service's own package.
    """

    def composed(settings: S) -> ServiceApp:
        require_current(settings.database_url.get_secret_value(), history or history_of(name))
        return compose(service(settings), settings)

    run_service(name, kind, composed)


def compose(service: Service, settings: RuntimeSettings) -> ServiceApp:
    """Wire a service into an app."""
    clock, health = SystemClock(), Health()
    metrics = Metrics(service.name, also=service.gauges)
    pool = new_pool(service.name, settings, service.session)
    claims, failpoints = Claims(f"crm-{service.name}"), failpoints_for(service.name)
    producing = Producing(settings)
    # The publisher needs transactions to settle, and transactions hand over to the publisher.
    transactions = Transactions(pool, claims, failpoints)
    runtime = Runtime(settings, pool, claims, transactions, clock, metrics, failpoints, health)
    handler, outlet = service.handler(runtime), service.outlet(runtime)
    inputs = {topic.name: topic.kind for topic in service.inputs}
    outputs = {topic.name: topic.kind for topic in service.outputs}
    observer = BatchObserver(metrics, health, clock, service.stage)
    publisher = Publisher(transactions, pool, outlet, producing, outputs, failpoints, observer)
    transactions.hand_over = publisher.hand_over
    limits = Limits(settings.fuse_ratio, settings.fuse_min_events, settings.fuse_run)
    parts = Parts(handler, transactions, producing, clock, failpoints, observer, service.dead_letters)
    group = Group(
        name=claims.group,
        owner=f"{settings.instance_id or socket.gethostname()}-{os.getpid()}",
        inputs=inputs,
        outputs=outputs,
        settings=settings,
        pool=pool,
        claims=claims,
        transactions=transactions,
        processor=Processor(parts, inputs, Fuse(limits)),
        publisher=publisher,
        outlet=outlet,
        admin=TopicAdmin(settings.kafka_bootstrap_servers),
        clock=clock,
        failpoints=failpoints,
        metrics=metrics,
        health=health,
        open_dead_letters=service.open_dead_letters,
    )
    background = service.background(runtime)
    services = [Connections(pool, producing), Consumer(Membership(group), settings), *background]
    return build_app(service.name, settings, services=services, health=health, metrics=metrics)


class Connections(mode.Service):
    """The pool and the producer: first to start, last to stop."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection], producing: Producing) -> None:
        super().__init__()
        self._pool = pool
        self._producing = producing

    async def on_start(self) -> None:
        """Connect."""
        await self._pool.open()
        await self._producing.start()
        # Collecting the start-up's objects over and over cost 18 µs an event; what batches allocate has few cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(500_000, 50, 100)

    async def on_shutdown(self) -> None:
        """Disconnect, after everything that uses it has stopped."""
        await within(5, "stop the producer", self._producing.stop())
        await within(5, "close the pool", self._pool.close())


class Consumer(mode.Service):
    """The consumer group's membership as a service of the app."""

    def __init__(self, membership: Membership, settings: RuntimeSettings) -> None:
        super().__init__()
        self._membership = membership
        self._settings = settings
        self._work: asyncio.Task[None] | None = None

    @mode.Service.task
    async def _work_until_stopped(self) -> None:
        self._work = asyncio.create_task(self._membership.run(), name="membership")
        try:
            await self._work
        except asyncio.CancelledError:
            if not self.should_stop:
                raise

    async def on_stop(self) -> None:
        """Finish or roll back what is under way, leave the group."""
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await within(self._settings.drain_seconds, "drain", asyncio.wait({self._work}))
