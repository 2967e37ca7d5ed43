"""Rebuild equals live: what is counted anew from the timeline is what the rows hold, in whatever order they came."""

import asyncio
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.interactions import Interaction
from shared.runtime.records import Record
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.strategies import record
from tests.unit.services.profile.in_memory import InMemoryCustomers, apply, new_handler
from tests.unit.services.profile.recounted import compared


def lived(said: Sequence[Interaction], rules: IdentityRules, chance: random.Random) -> InMemoryCustomers:
    """Apply a history in some order, in some batches, some of it twice."""
    store = InMemoryCustomers()
    handler = new_handler(store, chance.choice([0, 3, 1000]), rules)
    again: list[Record] = [record(one) for one in (*said, *chance.sample(list(said), len(said) // 3))]
    chance.shuffle(again)
    while again:
        size = chance.choice([1, 2, 5, 20])
        batch, again = again[:size], again[size:]
        asyncio.run(apply(handler, batch))
    return store


@given(crowds, histories.rules, st.randoms(use_true_random=False))
def test_what_is_counted_anew_is_what_the_rows_hold(
    said: list[Interaction], rules: IdentityRules, chance: random.Random
) -> None:
    found = compared(lived(said, rules, chance), rules)
    assert found.differences == ()
    assert found.customers + found.pending > 0
