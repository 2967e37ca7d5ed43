import asyncio

import pytest

from shared.runtime import session
from shared.runtime.errors import FencedError, TopicMissingError


async def test_a_loop_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CANCEL_AGAIN_SECONDS", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    async def fenced() -> None:
        await asyncio.sleep(0)
        raise FencedError("group", [0])

    async with asyncio.timeout(5):
        with pytest.raises(FencedError):
            await session._first_end(stubborn(), fenced())
    assert swallowed == 3


async def test_of_several_errors_at_once_the_gravest_is_told() -> None:
    async def fenced() -> None:
        raise FencedError("group", [0])

    async def missing() -> None:
        raise TopicMissingError(["topic"])

    with pytest.raises(TopicMissingError):
        await session._first_end(fenced(), missing())
