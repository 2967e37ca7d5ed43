"""When an instant may fire: not on a look at the inputs that is older than what it would be judged at."""

from collections.abc import Iterable
from datetime import timedelta
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.runtime.ticker import Ticker
from tests.counting.hand_driven import NOW, click, worker
from tests.integration.shared.runtime.test_publishing import group_of

DUE = NOW + timedelta(seconds=5)


class Looker:
    """Says where the inputs end; a test moves the end as senders would."""

    def __init__(self) -> None:
        self.end = 0
        self.asked = 0

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        return dict.fromkeys(partitions, self.end)


async def test_an_instant_waits_for_what_came_while_it_waited(counting_database: str) -> None:
    looker = Looker()
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "clock:1"))
        ticker = Ticker(group_of(one), cast("AIOKafkaConsumer", looker))
        one.clock.at = DUE
        looker.end = 2
        assert await ticker.tick() == 0  # one click is unread
        # It is read at last, much later, and another one arrived meanwhile that the first look could not see.
        await one.process(click(1, "b", "eva"))
        one.clock.at = DUE + timedelta(seconds=2)
        looker.end = 3
        assert await ticker.tick() == 0
        assert await ticker.tick() == 0
        await one.process(click(2, "c", "eva"))
        assert await ticker.tick() == 1
        assert looker.asked == 2


async def test_an_instant_fires_at_once_when_everything_is_read(counting_database: str) -> None:
    looker = Looker()
    async with worker("one", counting_database) as one:
        await one.claim()
        await one.process(click(0, "a", "clock:1"))
        looker.end = 1
        one.clock.at = DUE
        assert await Ticker(group_of(one), cast("AIOKafkaConsumer", looker)).tick() == 1
