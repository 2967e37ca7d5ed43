"""The demo's senders over real connections: what is not taken is sent again, what is refused ends the run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import encode_basic_auth, web

from shared.demo.cdnow import Order
from shared.demo.gateway import Entrance, Gateway, GatewayRefusedError
from shared.demo.sdk import send_with_sdk
from shared.demo.sending import AT_ONCE, send
from shared.demo.story import RawEvent, Story
from shared.local.ports import LOOPBACK, free_ports

KEY = "rk_write"
EVENTS = list(
    Story("run", datetime(2026, 11, 22, tzinfo=UTC)).orders(
        Order(row, f"{row:05}", datetime(1998, 6, 30, tzinfo=UTC).date(), "29.33") for row in range(1, 701)
    )
)


class Door:
    """Stands where the gateway stands: answers as it is told to, in turn, then takes everything."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.taken: list[dict[str, Any]] = []
        self.quarantined = 0

    async def answer(self, request: web.Request) -> web.Response:
        assert request.headers["authorization"] == encode_basic_auth(KEY)
        batch = (await request.json())["batch"]
        if batch and self._statuses:
            headers = {"retry-after": "0"}
            body = {"success": False, "code": "no", "message": "not now"}
            return web.json_response(body, status=self._statuses.pop(0), headers=headers)
        self.taken += batch
        good = len(batch) - self.quarantined
        return web.json_response({"success": True, "accepted": good, "quarantined": self.quarantined})


@asynccontextmanager
async def standing(door: Door) -> AsyncIterator[Entrance]:
    app = web.Application()
    app.router.add_post("/v1/batch", door.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield Entrance(f"http://{LOOPBACK}:{port}", KEY)
    finally:
        await runner.cleanup()


def ids(events: list[RawEvent]) -> set[str]:
    return {event.message_id for event in events}


async def test_a_batch_that_was_not_taken_is_sent_until_it_is() -> None:
    door, steps = Door(503, 429), list[int]()
    async with standing(door) as entrance, Gateway(entrance) as gateway:
        known = await send(gateway, EVENTS, steps.append)
    assert known == ids(EVENTS)
    assert sorted(event["messageId"] for event in door.taken) == sorted(event.message_id for event in EVENTS)
    assert sorted(steps) == sorted([AT_ONCE, len(EVENTS) - AT_ONCE])
    assert gateway.requests == 2


@pytest.mark.parametrize("status", [400, 401, 413, 500])
async def test_a_refusal_ends_the_run_and_says_what_was_answered(status: int) -> None:
    async with standing(Door(status)) as entrance, Gateway(entrance) as gateway:
        with pytest.raises(GatewayRefusedError, match=f"{status}: .*not now"):
            await send(gateway, EVENTS, lambda _: None)


async def test_a_good_event_that_is_quarantined_ends_the_run() -> None:
    door = Door()
    async with standing(door) as entrance, Gateway(entrance) as gateway:
        door.quarantined = 1
        with pytest.raises(GatewayRefusedError, match="1 of 500 good events"):
            await send(gateway, EVENTS, lambda _: None)


async def test_the_sdk_says_of_an_event_what_the_demo_says_itself() -> None:
    by_hand, by_sdk = Door(), Door(503)
    async with standing(by_hand) as entrance, Gateway(entrance) as gateway:
        await send(gateway, EVENTS, lambda _: None)
    async with standing(by_sdk) as entrance:
        known, requests = await in_thread(entrance, EVENTS)
    assert (known, requests) == (ids(EVENTS), -(-len(EVENTS) // 100))
    assert said(by_sdk) == said(by_hand)


async def in_thread(entrance: Entrance, events: list[RawEvent]) -> tuple[set[str], int]:
    return await asyncio.to_thread(send_with_sdk, entrance, events)


def said(door: Door) -> list[tuple[object, ...]]:
    names = ("type", "event", "userId", "messageId", "properties")
    return sorted(
        (datetime.fromisoformat(event["timestamp"]), *(str(event[name]) for name in names)) for event in door.taken
    )
