"""Who is overtaken again and again gets a turn alone, and only then."""

from collections.abc import Sequence

import pytest
from psycopg import AsyncConnection

from services.profile.ports import Change, Entry, GraphChange
from shared.runtime.errors import StaleStateError
from tests.property.services.profile.strategies import interaction, record
from tests.unit.services.profile.in_memory import InMemoryCustomers, apply, new_handler

VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
EVENT = record(interaction("m-1", VIEWED, (("user_id", "u-1"), ("anonymous_id", "an-1"))))


class Overtaken(InMemoryCustomers):
    """Somebody else always comes first, so many times; notes how each turn began."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times
        self.turns: list[str] = []

    async def go_beside(self, _connection: AsyncConnection) -> None:
        self.turns.append("beside")

    async def go_alone(self, _connection: AsyncConnection) -> None:
        self.turns.append("alone")

    async def write(
        self,
        connection: AsyncConnection,
        changes: Sequence[Change],
        graph: GraphChange | None,
        entries: Sequence[Entry],
    ) -> None:
        if self.left:
            self.left -= 1
            raise StaleStateError("somebody else came first")
        await super().write(connection, changes, graph, entries)


async def turns(times: int) -> list[str]:
    """Apply an event until it is written, and one more, as the runtime does."""
    store = Overtaken(times)
    handler = new_handler(store)
    for _ in range(times):
        with pytest.raises(StaleStateError):
            await apply(handler, [EVENT])
        handler.forget()
    await apply(handler, [EVENT])
    later = record(interaction("m-2", VIEWED, (("user_id", "u-1"), ("anonymous_id", "an-2"))))
    await apply(handler, [later])
    return store.turns


async def test_one_that_was_overtaken_once_tries_beside_the_others() -> None:
    assert await turns(1) == ["beside"] * 3


async def test_one_that_was_overtaken_twice_works_alone_until_it_is_through() -> None:
    assert await turns(2) == ["beside", "beside", "alone", "beside", "beside"]


async def test_whose_events_name_one_identity_each_waits_for_nobody() -> None:
    store = Overtaken(0)
    handler = new_handler(store)
    for number in range(3):
        await apply(handler, [record(interaction(f"m-{number}", VIEWED))])
    assert store.turns == []
