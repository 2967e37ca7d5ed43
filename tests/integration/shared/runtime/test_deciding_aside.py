"""What one instant of the clock brings may be any amount of work: it is decided beside the event loop."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.runtime.handler import Decision
from shared.runtime.records import DueInstant, Received
from tests.counting.hand_driven import NOW, click, worker
from tests.counting.handler import Click, CountingHandler, Rows, State


class Beside(CountingHandler):
    """Notes of each decision whether the event loop's own thread made it."""

    ours: list[bool]

    def decide(
        self, events: Sequence[Received[Click]], due: Sequence[DueInstant], state: State, now: datetime
    ) -> Decision[Rows]:
        """Note where, and decide."""
        type(self).ours.append(threading.current_thread() is threading.main_thread())
        return super().decide(events, due, state, now)


async def test_a_single_instant_is_decided_in_a_thread_and_a_single_event_is_not(counting_database: str) -> None:
    Beside.ours = []
    async with worker("one", counting_database, kind=Beside) as one:
        await one.claim()
        await one.process(click(0, "a", "clock:1"))
        await one.fire({0: NOW + timedelta(seconds=5)})
        assert await one.rows("SELECT version FROM counts") == [(2,)]
    assert Beside.ours == [True, False]
