"""The replay: introductions, a few broken records, then every order; over HTTP, the last thousand by an SDK."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from shared.demo.cdnow import Order
from shared.demo.gateway import Entrance, Gateway
from shared.demo.malformed import MALFORMED
from shared.demo.progress import Narrator
from shared.demo.sdk import send_with_sdk
from shared.demo.sending import send, send_malformed
from shared.demo.settling import settling
from shared.demo.story import Story
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings

WITH_SDK = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How many requests were sent, and how fast while any were."""

    requests: int
    requests_per_second: int
    events_per_second: int


@dataclass(frozen=True, slots=True)
class Sent:
    """The ids that were answered for, and the place of each malformed record."""

    ids: set[str]
    malformed: list[tuple[int, int]]
    count: int
    pace: Pace


async def replay(
    gateway: Gateway,
    entrance: Entrance,
    settings: RuntimeSettings,
    story: Story,
    history: Sequence[Order],
    narrator: Narrator,
) -> Sent:
    """Send everything, and say how fast.

    Raises:
        GatewayRefusedError: something was not taken.
        NotSettledError: ingest does not read the introductions.
    """
    introductions, told = list(story.introductions(history)), list(story.orders(history))
    total, done, busy = len(introductions) + len(told), 0, 0.0

    def sent(count: int) -> None:
        nonlocal done
        done += count
        narrator.step("sent", done, total)

    with narrator.phase("send", f"Sending {len(history):,} orders of {len({o.customer for o in history}):,} customers"):
        start = time.monotonic()
        ids = await send(gateway, introductions, sent)
        busy += time.monotonic() - start
        malformed = await _break_something(settings, narrator)
        start = time.monotonic()
        ids |= await send(gateway, told[:-WITH_SDK], sent)
        delivered, requests = await asyncio.to_thread(send_with_sdk, entrance, told[-WITH_SDK:])
        sent(WITH_SDK)
        busy += time.monotonic() - start
    requests += gateway.requests
    pace = Pace(requests, int(requests / busy), int(total / busy))
    narrator.say(
        f"  {requests:,} requests, {pace.requests_per_second:,} a second with {pace.events_per_second:,} events; "
        f"{WITH_SDK:,} of the orders by segment-analytics-python"
    )
    return Sent(ids | delivered, malformed, total + len(MALFORMED), pace)


async def _break_something(settings: RuntimeSettings, narrator: Narrator) -> list[tuple[int, int]]:
    """Write the malformed records, and return once ingest has read all that was sent.

    What comes over HTTP takes any partition: an order that ingest read before its customer's consent would bring no
    mail.
    """
    producing = Producing(settings)
    await producing.start()
    try:
        malformed = await send_malformed(producing, settings.lanes)
    finally:
        await producing.stop()
    async with settling(settings) as settled:
        await settled.until_one_is_quiet("ingest", narrator.stand)
    return malformed
