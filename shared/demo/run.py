"""The demo from start to end: fresh data, real servers, 69,659 orders all the way, live probes, and what came out."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from shared.demo.cdnow import Order, orders
from shared.demo.checks import PROBES, Check, checks
from shared.demo.findings import Found, find
from shared.demo.malformed import MALFORMED
from shared.demo.probes import Prober, Timings
from shared.demo.progress import Narrator
from shared.demo.sending import send, send_malformed
from shared.demo.settling import Settling
from shared.demo.story import Story
from shared.local.platform import Platform
from shared.local.stack import StackAddresses
from shared.runtime.kafka_input import new_reader
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found, its checks, the seconds of each phase, and events a second from first sent to last settled."""

    found: Found
    checks: Sequence[Check]
    seconds: dict[str, float]
    events: int
    events_per_second: int
    addresses: StackAddresses

    @property
    def holds(self) -> bool:
        """Tell whether every check holds."""
        return all(check.holds for check in self.checks)


@dataclass(frozen=True, slots=True)
class _Sent:
    ids: set[str]
    malformed: list[tuple[int, int]]
    count: int


async def run(platform: Platform, narrator: Narrator) -> Result:
    """Run the demo on this platform, whose data of an earlier run are deleted first.

    Raises:
        MissingDataError: the orders are not installed.
        LocalStackError, NotSettledError: something does not start or stands still.
    """
    history = list(orders())
    with narrator.phase("stack", "Starting Kafka, PostgreSQL, five services and a mail server (fresh data)"):
        make_fresh(platform)
        addresses = platform.up(notify=lambda line: narrator.say(f"  {line}"))
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": addresses.kafka, "database_url": addresses.database_url}
    )
    producing = Producing(settings)
    await producing.start()
    story = Story(uuid.uuid4().hex[:8], datetime.now(UTC))
    try:
        sent = await _replay(producing, settings, story, history, narrator)
        await _settle(settings, narrator, "settle", "Following them through profile, segments, mails and KPIs")
        with narrator.phase("probes", f"Sending {PROBES} live product views: in by event, out by the clock"):
            timings = await _probe(settings, producing, story, history, narrator)
        await _settle(settings, narrator, "rest", "Waiting until all is quiet")
    finally:
        await producing.stop()
    with psycopg.connect(addresses.database_url) as connection:
        found = find(connection, platform.mails, sent.ids, sent.malformed, timings)
    busy = narrator.seconds["send"] + narrator.seconds["settle"]
    return Result(found, checks(found), narrator.seconds, sent.count, int(sent.count / max(busy, 0.1)), addresses)


def make_fresh(platform: Platform) -> None:
    """Stop what an earlier run left and delete its data."""
    platform.down()
    if platform.root.exists():
        platform.stack.erase()
        shutil.rmtree(platform.mails, ignore_errors=True)
        shutil.rmtree(platform.root / "logs", ignore_errors=True)


async def _replay(
    producing: Producing, settings: RuntimeSettings, story: Story, history: Sequence[Order], narrator: Narrator
) -> _Sent:
    introductions, told = list(story.introductions(history)), list(story.orders(history))
    total, done = len(introductions) + len(told), 0

    def sent(count: int) -> None:
        nonlocal done
        done += count
        narrator.step("sent", done, total)

    with narrator.phase(
        "send", f"Replaying {len(history):,} orders of {len({o.customer for o in history}):,} customers"
    ):
        ids = await send(producing, introductions, settings.lanes, sent)
        malformed = await send_malformed(producing, settings.lanes)
        ids |= await send(producing, told, settings.lanes, sent)
    return _Sent(ids, malformed, total + len(MALFORMED))


async def _settle(settings: RuntimeSettings, narrator: Narrator, name: str, title: str) -> None:
    reader = new_reader(settings)
    await reader.start()
    try:
        url = settings.database_url.get_secret_value()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            with narrator.phase(name, title):
                await Settling(connection, reader, settings.lanes).until_quiet(narrator.stand)
    finally:
        await reader.stop()


async def _probe(
    settings: RuntimeSettings, producing: Producing, story: Story, history: Sequence[Order], narrator: Narrator
) -> Timings:
    customers = sorted({order.customer for order in history})
    chosen = customers[:: len(customers) // PROBES][:PROBES]
    prober, done = Prober(settings, producing, story), 0

    def stepped() -> None:
        nonlocal done
        done += 1
        narrator.step("probes", done, 2 * len(chosen))

    return await prober.run(chosen, stepped)
