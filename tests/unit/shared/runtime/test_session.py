import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from shared.runtime import session
from shared.runtime.errors import FencedError, TopicMissingError
from shared.runtime.metrics import Metrics


async def test_a_loop_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CANCEL_AGAIN_SECONDS", 0.01)
    cancelled = 0

    async def stubborn() -> None:
        nonlocal cancelled
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled == 2:
                    raise

    async def fenced() -> None:
        await asyncio.sleep(0)
        raise FencedError("group", [0])

    ending = asyncio.create_task(session._first_end(stubborn(), fenced()))
    await asyncio.wait({ending}, timeout=5)
    assert cancelled == 2
    assert isinstance(ending.exception(), FencedError)


async def test_of_several_errors_at_once_the_gravest_is_told() -> None:
    async def fenced() -> None:
        raise FencedError("group", [0])

    async def missing() -> None:
        raise TopicMissingError(["topic"])

    with pytest.raises(TopicMissingError):
        await session._first_end(fenced(), missing())


@pytest.mark.parametrize("name", ["crm_consumer_fenced_total", "crm_consumer_rebalances_total"])
def test_what_has_not_happened_yet_is_shown_as_none(name: str) -> None:
    group: Any = SimpleNamespace(metrics=Metrics("counting"))
    session.Membership(group)
    assert group.metrics.registry.get_sample_value(name, {"service": "counting"}) == 0
