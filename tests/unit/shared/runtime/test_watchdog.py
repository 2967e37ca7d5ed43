import asyncio

import pytest
from structlog.testing import capture_logs

from shared.runtime.watchdog import StepFailed, StepFinished, StepOverran, within

LONG = 30.0


async def test_a_step_that_ends_in_time_is_finished() -> None:
    assert await within(LONG, "flush", asyncio.sleep(0)) == StepFinished()


async def test_a_step_that_overruns_is_abandoned_even_if_it_ignores_cancellation() -> None:
    cancelled = asyncio.Event()
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancelled.set()

    with capture_logs() as logged:
        assert await within(0.01, "stop consumer", stubborn()) == StepOverran()
    assert [(line["action"], line["step"]) for line in logged] == [("stop.overrun", "stop consumer")]
    await asyncio.wait_for(cancelled.wait(), LONG)
    release.set()


async def test_a_step_that_fails_is_reported_and_does_not_raise() -> None:
    async def fails() -> None:
        raise OSError("broken")

    with capture_logs() as logged:
        result = await within(LONG, "close pool", fails())
    assert isinstance(result, StepFailed)
    assert isinstance(result.error, OSError)
    assert [line["step"] for line in logged] == ["close pool"]


async def test_a_step_that_cancels_itself_is_failed() -> None:
    async def cancels() -> None:
        raise asyncio.CancelledError

    assert isinstance(await within(LONG, "drain", cancels()), StepFailed)


async def test_an_error_after_the_deadline_is_not_reported_twice() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    ended = asyncio.Event()

    async def fails_late() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
            raise OSError("late")

    assert await within(0.01, "flush", fails_late()) == StepOverran()
    await asyncio.wait_for(ended.wait(), LONG)
    await asyncio.sleep(0)
    assert reported == []


async def test_whoever_is_cancelled_while_waiting_takes_the_step_along() -> None:
    stopped = asyncio.Event()
    started = asyncio.Event()

    async def step() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    waiting = asyncio.create_task(within(LONG, "drain", step()))
    await asyncio.wait_for(started.wait(), LONG)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(stopped.wait(), LONG)
