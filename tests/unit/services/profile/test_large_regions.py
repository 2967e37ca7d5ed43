"""A region too large for a batch waits for the clock, a minute at most, and then is what its links say."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from services.profile.docket import UNTANGLE
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import IdentityRules
from services.profile.folding import RESOLVED_EVERY
from services.profile.handlers import ProfileHandler
from shared.contracts.interactions import Interaction
from shared.runtime.handler import SetDue
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.customer_book import CustomerBook
from tests.unit.services.profile.in_memory import NO_CONNECTION, InMemoryCustomers, new_handler, read_all, ring
from tests.unit.services.profile.topic_reader import customers_of

VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
NOW = START + timedelta(days=1)
U1, U2, U3 = ("user_id", "u-1"), ("user_id", "u-2"), ("user_id", "u-3")
EVA, TILL = ("email", "eva@example.com"), ("email", "till@example.com")
SAID = [
    interaction(f"m-{number}", VIEWED, who, occurred_at=START + timedelta(minutes=minute), received_at=NOW)
    for number, (who, minute) in enumerate([((U1, EVA), 10), ((U2, EVA), 20), ((U2, TILL), 30), ((U3, TILL), 5)])
]
LATE = interaction("m-9", VIEWED, (U2, EVA), occurred_at=START, received_at=NOW)
LATER = interaction("m-10", VIEWED, (U1, TILL), occurred_at=START, received_at=NOW)


async def woken(handler: ProfileHandler, said: Sequence[Interaction], now: datetime) -> dict[str, datetime]:
    """Apply events, and return what the clock is to bring."""
    events = read_all(handler, [record(one) for one in said])
    state = await handler.load(NO_CONNECTION, handler.keys(events, ()))
    decision = handler.decide(events, (), state, now)
    await handler.save(NO_CONNECTION, decision.rows)
    return {one.key: one.at for one in decision.due if isinstance(one, SetDue)}


async def test_what_upsets_a_large_region_is_resolved_by_the_clock_and_not_put_off() -> None:
    store = InMemoryCustomers()
    handler = new_handler(store, at_once=3)
    assert await woken(handler, SAID[:3], NOW) == {}
    settled = {name: row.after.root for name, row in store.rows.items()}
    first = await woken(handler, [LATE], NOW)
    assert list(first.values()) == [NOW + RESOLVED_EVERY]
    assert {name: row.after.root for name, row in store.rows.items()} == settled
    second = await woken(handler, [SAID[3], LATER], NOW + timedelta(seconds=30))
    assert set(second.values()) == set(first.values())
    decision = await ring(handler, second)
    assert decision.publications
    assert all(region.due is None for region in store.regions.values())
    book = CustomerBook(IdentityRules())
    book.take([event_of(one) for one in (*SAID, LATE, LATER)])
    assert await customers_of(store) == book.records()
    assert (await ring(handler, [*first, *second])).rows.graph is None


async def test_a_small_region_is_resolved_at_once() -> None:
    store = InMemoryCustomers()
    handler = new_handler(store)
    assert await woken(handler, [*SAID, LATE, LATER], NOW) == {}
    book = CustomerBook(IdentityRules())
    book.take([event_of(one) for one in (*SAID, LATE, LATER)])
    assert await customers_of(store) == book.records()


async def test_the_clock_passes_over_a_region_that_is_gone() -> None:
    decision = await ring(new_handler(), [UNTANGLE + "0" * 32])
    assert (decision.rows.graph, decision.publications) == (None, ())


@pytest.mark.parametrize("chance", range(6))
async def test_of_two_regions_that_meet_the_smaller_one_moves(chance: int) -> None:
    many = [(("user_id", f"many-{chance}-{number}"), EVA) for number in range(5)]
    few = [(("user_id", f"few-{chance}-{number}"), TILL) for number in range(2)]
    said = [
        interaction(f"m-{number}", VIEWED, who, occurred_at=START + timedelta(minutes=number), received_at=NOW)
        for number, who in enumerate([*many, *few, (many[0][0], TILL)])
    ]
    store = InMemoryCustomers()
    handler = new_handler(store)
    await woken(handler, said[:-1], NOW)
    sizes = {name: sum(region.summary.counts.values()) for name, region in store.regions.items()}
    assert sorted(sizes.values()) == [3, 6]
    await woken(handler, said[-1:], NOW)
    assert list(store.regions) == [name for name, size in sizes.items() if size == max(sizes.values())]
