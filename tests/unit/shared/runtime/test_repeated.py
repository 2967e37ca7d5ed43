"""What is done again and again: through errors that may pass, never through others, and with enough rest."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout
from structlog.testing import capture_logs

from shared.runtime.repeated import Repeated

SECONDS = 5.0
AWAY = psycopg.OperationalError("PostgreSQL is away")


class Hurried(Repeated):
    """One that notes how long it would rest, and goes on."""

    def __init__(self, act: Callable[[], Awaitable[object]], rest: float = 0.0) -> None:
        super().__init__(act, SECONDS, "Mugs can't be counted now", "mugs.retry", rest=rest)
        self.rests: list[float] = []

    async def sleep(self, n: Any, **_: object) -> None:
        self.rests.append(n)
        await asyncio.sleep(0)


async def rests_of(times: int, act: Callable[[], object], rest: float = 0.0) -> list[float]:
    """Let something be done so many times, and return how long it would have rested after each."""
    done, count = asyncio.Event(), 0

    async def acting() -> None:
        nonlocal count
        count += 1
        if count > times:
            done.set()
            await asyncio.Event().wait()
        act()

    service = Hurried(acting, rest)
    await service.start()
    try:
        async with asyncio.timeout(10):
            await done.wait()
    finally:
        await service.stop()
    return service.rests


def fail(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


async def test_it_is_done_again_after_so_many_seconds() -> None:
    assert await rests_of(3, lambda: None) == [SECONDS] * 3


async def test_an_error_that_may_pass_is_said_and_it_is_done_again() -> None:
    with capture_logs() as logged:
        assert await rests_of(2, fail(AWAY)) == [SECONDS] * 2
    assert [(line["event"], line["action"]) for line in logged] == [("Mugs can't be counted now", "mugs.retry")] * 2


async def test_an_error_that_trying_again_cannot_mend_crashes_the_service() -> None:
    error = psycopg.errors.UndefinedTable("no table of mugs")

    async def act() -> None:
        raise error

    service = Hurried(act)
    await service.start()
    async with asyncio.timeout(10):
        await service.wait(asyncio.Event().wait())
    assert service.crash_reason is error
    assert service.rests == []


@pytest.mark.parametrize("error", [None, AWAY], ids=["done", "failed"])
async def test_what_took_long_rests_in_proportion(error: Exception | None) -> None:
    def act() -> None:
        started = time.monotonic()
        while time.monotonic() == started:
            pass
        if error is not None:
            raise error

    (rest,) = await rests_of(1, act, rest=1e12)
    assert rest > SECONDS


async def test_a_wait_in_vain_for_a_connection_asks_for_no_rest() -> None:
    assert await rests_of(1, fail(PoolTimeout("couldn't get a connection")), rest=1e12) == [SECONDS]
