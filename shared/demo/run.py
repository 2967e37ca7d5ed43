"""The demo from start to end: fresh data, real servers, 69,659 orders all the way, live probes, and what came out."""

import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from shared.demo.cdnow import Order, orders
from shared.demo.checks import PERSON, PROBES, Check, checks, merge_check
from shared.demo.findings import Found, find
from shared.demo.gateway import Entrance, Gateway, new_entrance
from shared.demo.person import Undone, merge_and_undo
from shared.demo.probes import Prober, Timings
from shared.demo.progress import Narrator
from shared.demo.replay import Pace, replay
from shared.demo.sending import send
from shared.demo.settling import settling
from shared.demo.story import SOURCE, Story
from shared.local.platform import Platform
from shared.local.stack import StackAddresses
from shared.runtime.settings import RuntimeSettings


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found, its checks, the seconds of each phase, and events a second from first sent to last settled."""

    found: Found
    checks: Sequence[Check]
    seconds: dict[str, float]
    events: int
    events_per_second: int
    pace: Pace
    undone: Undone
    addresses: StackAddresses
    entrance: Entrance

    @property
    def holds(self) -> bool:
        """Tell whether every check holds."""
        return all(check.holds for check in self.checks)


async def run(platform: Platform, narrator: Narrator) -> Result:
    """Run the demo on this platform, whose data of an earlier run are deleted first.

    Raises:
        MissingDataError: the orders are not installed.
        LocalStackError, GatewayRefusedError, NotSettledError, CommandFailedError: something does not start, refuses,
            stands still or does not go through.
    """
    history = list(orders())
    with narrator.phase("stack", "Starting Kafka, PostgreSQL, five services, a gateway and a mail server (fresh data)"):
        make_fresh(platform)
        addresses = platform.up(notify=lambda line: narrator.say(f"  {line}"))
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": addresses.kafka, "database_url": addresses.database_url}
    )
    entrance = new_entrance(platform, SOURCE)
    story = Story(uuid.uuid4().hex[:8], datetime.now(UTC))
    async with Gateway(entrance) as gateway:
        sent = await replay(gateway, entrance, settings, story, history, narrator)
        with narrator.phase("settle", "Following them through profile, segments, mails and KPIs"):
            async with settling(settings) as settled:
                await settled.until_quiet(narrator.stand)
        with narrator.phase("probes", f"Sending {PROBES} live product views: in by event, out by the clock"):
            timings = await _probe(settings, gateway, story, history, narrator)
        with narrator.phase("person", "Merging two customers by hand, and taking it back"):
            sent.ids.update(await send(gateway, story.life(PERSON), lambda _size: None))
            async with settling(settings) as settled:
                await settled.until_quiet(narrator.stand)
                undone = await merge_and_undo(platform, lambda: settled.until_quiet(narrator.stand))
        with narrator.phase("rest", "Waiting until all is quiet"):
            async with settling(settings) as settled:
                await settled.until_quiet(narrator.stand)
    with psycopg.connect(addresses.database_url) as connection:
        found = find(connection, platform.mails, sent.ids, sent.malformed, timings)
    busy = narrator.seconds["send"] + narrator.seconds["settle"]
    return Result(
        found=found,
        checks=[*checks(found), merge_check(undone)],
        undone=undone,
        seconds=narrator.seconds,
        events=sent.count,
        events_per_second=int(sent.count / max(busy, 0.1)),
        pace=sent.pace,
        addresses=addresses,
        entrance=entrance,
    )


def make_fresh(platform: Platform) -> None:
    """Stop what an earlier run left and delete its data."""
    platform.down()
    if platform.root.exists():
        platform.stack.erase()
        shutil.rmtree(platform.mails, ignore_errors=True)
        shutil.rmtree(platform.root / "logs", ignore_errors=True)


async def _probe(
    settings: RuntimeSettings, gateway: Gateway, story: Story, history: Sequence[Order], narrator: Narrator
) -> Timings:
    customers = sorted({order.customer for order in history})
    chosen = customers[:: len(customers) // PROBES][:PROBES]
    prober, done = Prober(settings, gateway, story), 0

    def stepped() -> None:
        nonlocal done
        done += 1
        narrator.step("probes", done, 2 * len(chosen))

    return await prober.run(chosen, stepped)
