"""Rebuild equals live: what is counted anew from the timeline is what the rows hold, in whatever order they came."""

import asyncio
import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.profile.domain.decisions import Decision
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.state import dump, load
from shared.contracts.interactions import Interaction
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.deeds import deed
from tests.property.services.profile.test_decisions import Life
from tests.unit.services.profile.in_memory import NO_CONNECTION, InMemoryCustomers
from tests.unit.services.profile.recounted import compared, mended
from tests.unit.services.profile.topic_reader import customers_of

FEW = 3
SOME = max(25, settings().max_examples // 4)


def lived(said: Sequence[Interaction], rules: IdentityRules, chance: random.Random) -> Life:
    """Apply a history in some order, in some batches, some of it twice, with decisions of people between."""
    life, decided = Life(rules, chance.choice([0, 3, 1000]), chance.choice([2, 2000])), list[Decision]()
    again = [*said, *chance.sample(list(said), len(said) // 3)]
    chance.shuffle(again)
    while again:
        size = chance.choice([1, 2, 5, 20])
        batch, again = again[:size], again[size:]
        life.say(chance.choice(life.workers), batch)
        known = life.known()
        if len(known) > FEW and chance.random() < 0.4:
            decided.append(deed(chance, known, decided))
            life.decide(chance.choice(life.workers), decided[-1:])
    return life


def spoil(store: InMemoryCustomers, chance: random.Random) -> None:
    """Change some rows as nobody should."""
    for key, row in sorted(store.rows.items(), key=lambda item: item[0]):
        if chance.random() < 0.3:
            state = None if row.document is None else load(row.document)
            if state is not None:
                state.order_count += 1
            document = None if state is None else dump(state)
            root = None if chance.random() < 0.3 else row.after.root
            store.rows[key] = msgspec.structs.replace(
                row, document=document, after=msgspec.structs.replace(row.after, root=root)
            )
    for root, one in sorted(store.customers.items()):
        if chance.random() < 0.3:
            state = msgspec.structs.replace(one.state, traits={}, order_count=one.state.order_count + 1)
            store.customers[root] = msgspec.structs.replace(one, state=state)
    for pair in sorted(store.edges):
        if chance.random() < 0.2:
            del store.edges[pair]


@given(crowds, histories.rules, st.randoms(use_true_random=False))
def test_what_is_counted_anew_is_what_the_rows_hold(
    said: list[Interaction], rules: IdentityRules, chance: random.Random
) -> None:
    life = lived(said, rules, chance)
    assert compared(life.store, rules).differences == (), "while the clock has something to resolve"
    life.settle()
    found = compared(life.store, rules)
    assert (found.differences, found.pending) == ((), 0)
    assert found.customers > 0


@settings(max_examples=SOME)
@given(crowds, histories.rules, st.randoms(use_true_random=False))
def test_rows_that_were_changed_by_hand_are_what_they_were_again_and_so_is_the_topic(
    said: list[Interaction], rules: IdentityRules, chance: random.Random
) -> None:
    life = lived(said, rules, chance)
    life.settle()
    store, customers = life.store, asyncio.run(customers_of(life.store))
    whose = {key: row.after.root for key, row in store.rows.items()}
    spoil(store, chance)
    folded = mended(store, rules)
    asyncio.run(store.write(NO_CONNECTION, (), folded.graph, ()))
    life.topic.take(folded.publications)
    assert compared(store, rules).differences == ()
    assert asyncio.run(customers_of(store)) == customers == life.topic.records()
    assert {key: row.after.root for key, row in store.rows.items()} == whose


@settings(max_examples=SOME)
@given(crowds, histories.rules, histories.rules)
def test_under_other_rules_rows_become_what_those_would_have_made_of_the_same_events(
    said: list[Interaction], old: IdentityRules, new: IdentityRules
) -> None:
    life, wanted = Life(old, 3, 2000), Life(new, 3, 2000)
    for one in life, wanted:
        one.say(one.workers[0], said)
    folded = mended(life.store, new)
    asyncio.run(life.store.write(NO_CONNECTION, (), folded.graph, ()))
    life.topic.take(folded.publications)
    assert compared(life.store, new).differences == ()
    assert asyncio.run(customers_of(life.store)) == asyncio.run(customers_of(wanted.store)) == life.topic.records()
