"""Rows against the model: whatever the order, the batches and the workers, they hold the customers of the model."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.interactions import Interaction
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.strategies import record
from tests.unit.services.profile.customer_book import CustomerBook
from tests.unit.services.profile.in_memory import InMemoryCustomers, new_handler
from tests.unit.services.profile.topic_reader import CustomersRead, commit, customers_of


@given(crowds, histories.rules, st.randoms(use_true_random=False), st.sampled_from([0, 3, 1000]))
def test_rows_and_topic_hold_the_customers_of_the_model(
    said: list[Interaction], rules: IdentityRules, chance: random.Random, cached: int
) -> None:
    book, store, topic = CustomerBook(rules), InMemoryCustomers(), CustomersRead()
    workers = [new_handler(store, cached, rules) for _ in range(2)]
    again = [*said, *chance.sample(said, len(said) // 3)]
    chance.shuffle(again)
    book.take([event_of(one) for one in said])
    while again:
        size = chance.choice([1, 2, 5, 20])
        batch, again = again[:size], again[size:]
        asyncio.run(commit(chance.choice(workers), [record(one) for one in batch], topic))
    assert asyncio.run(customers_of(store)) == book.records()
    assert topic.records() == book.records()
    held = store_versions(store)
    assert topic.versions() == {name: held[name] for name in topic.versions()}


def store_versions(store: InMemoryCustomers) -> dict[str, int]:
    """Return the version of every id that anything stands under."""
    return {key.hex(): row.after.version for key, row in store.rows.items()} | {
        root: one.version for root, one in store.customers.items()
    }
