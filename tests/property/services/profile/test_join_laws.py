"""The laws of the record as a join: how events are ordered, repeated, batched and parted by identity never shows."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain import fold
from services.profile.domain import join as joining
from services.profile.domain.event import Event, event_of
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.join import customer_of, join
from services.profile.domain.links import Mark, Verdict, Word
from services.profile.domain.state import State, dump, load, own
from shared.contracts.interactions import Interaction
from tests.property.services.profile import histories
from tests.property.services.profile.strategies import START, interactions
from tests.unit.services.profile.customer_book import CustomerBook

bounds = st.sampled_from([1, 2, 1000])
chances = st.randoms(use_true_random=False)


@contextmanager
def bounded(most: int) -> Iterator[None]:
    """Keep no more than so many of anything."""
    with pytest.MonkeyPatch.context() as patch:
        for module in fold, joining:
            for bound in "MOST_TRAITS", "MOST_IDENTITIES", "MOST_CONSENTS", "MOST_CASES":
                patch.setattr(module, bound, most)
        yield


def folded(events: Iterable[Event]) -> State | None:
    state: State | None = None
    for event in events:
        state = fold.begin(event.occurred_at) if state is None else state
        fold.apply(state, event)
    return state


def parted(events: list[Event], chance: random.Random, parts: int = 4) -> list[State]:
    groups: list[list[Event]] = [[] for _ in range(parts)]
    for event in events:
        chance.choice(groups).append(event)
    return [state for group in groups if (state := folded(group)) is not None]


@given(interactions(), chances, bounds)
def test_the_join_of_parts_is_the_fold_of_all_in_any_order(
    said: list[Interaction], chance: random.Random, most: int
) -> None:
    events = [event_of(one) for one in said]
    with bounded(most):
        whole = folded(events)
        chance.shuffle(events)
        states = parted(events, chance)
        chance.shuffle(states)
        assert customer_of({str(number): state for number, state in enumerate(states)}, "0123") == whole


@given(interactions(), chances, bounds)
def test_join_commutes_and_associates(said: list[Interaction], chance: random.Random, most: int) -> None:
    with bounded(most):
        states = parted([event_of(one) for one in said], chance)
        for a, b in pairwise(states):
            assert join(a, b) == join(b, a)
        for a, b, c in zip(states, states[1:], states[2:], strict=False):
            assert join(join(a, b), c) == join(a, join(b, c))


@given(interactions(), chances, bounds)
def test_an_event_moves_a_join_as_it_moves_the_member_that_it_belongs_to(
    said: list[Interaction], chance: random.Random, most: int
) -> None:
    *events, last = [event_of(one) for one in said]
    with bounded(most):
        states = parted(events, chance, 2)
        if len(states) == 2:
            mine, others = states
            ours = join(mine, others)
            before = dump(mine), dump(others)
            summary, member = own(ours), own(mine)
            fold.apply(summary, last)
            fold.apply(member, last)
            assert summary == join(member, others)
            assert (dump(mine), dump(others)) == before


@given(interactions(), chances)
def test_an_identity_counts_once_however_often_it_is_named(said: list[Interaction], chance: random.Random) -> None:
    states = dict(zip("abcd", parted([event_of(one) for one in said], chance), strict=False))
    assert customer_of(states, [*"abcd", *"dcba"]) == customer_of(states, "abcd")


def test_nobody_is_nobodys_customer() -> None:
    with pytest.raises(ValueError, match="at least one"):
        customer_of({}, "a")


@given(interactions(), chances)
def test_a_join_is_stored_and_read_back_as_it_was(said: list[Interaction], chance: random.Random) -> None:
    whole = customer_of(dict(zip("abcd", parted([event_of(one) for one in said], chance), strict=False)), "abcd")
    assert load(dump(whole)) == whole


def batches(events: list[Event], chance: random.Random) -> list[list[Event]]:
    cuts = sorted(chance.randint(0, len(events)) for _ in range(3))
    return [events[a:b] for a, b in pairwise([0, *cuts, len(events)])]


@given(interactions(), histories.rules, chances)
def test_any_permutation_duplication_and_batching_gives_the_same_customers(
    said: list[Interaction], rules: IdentityRules, chance: random.Random
) -> None:
    events = [event_of(one) for one in said]
    straight = CustomerBook(rules)
    straight.take(events)
    again = [*events, *chance.sample(events, len(events) // 2)]
    chance.shuffle(again)
    other = CustomerBook(rules)
    for batch in batches(again, chance):
        other.take(batch)
    assert other.records() == straight.records()
    assert straight.records() == straight.joined_anew()


@given(interactions(), histories.rules, chances)
def test_merge_then_unmerge_leaves_every_record_as_if_nobody_had(
    said: list[Interaction], rules: IdentityRules, chance: random.Random
) -> None:
    events = [event_of(one) for one in said]
    here, there = sorted(chance.randint(1, len(events)) for _ in range(2))
    never, undone = CustomerBook(rules), CustomerBook(rules)
    never.take(events)
    undone.take(events[:here])
    one, other = (chance.choice(sorted(undone.graph.nodes)) for _ in range(2))
    if one == other:
        return
    undone.decide(one, other, Word(Mark(START + timedelta(days=1), "w"), Verdict.TOGETHER))
    undone.take(events[here:there])
    assert undone.records() == undone.joined_anew()
    undone.decide(other, one, Word(Mark(START + timedelta(days=2), "w"), Verdict.FREE))
    undone.take(events[there:])
    assert undone.records() == never.records() == undone.joined_anew()
