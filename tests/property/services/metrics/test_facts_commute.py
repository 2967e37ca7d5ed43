"""The laws of facts: no order, batching or repetition of what may repeat shows in them."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.domain.events import CustomerSeen, Event, MessageReached
from services.metrics.domain.facts import Facts, combine, facts_of
from tests.property.services.metrics.strategies import logs


@given(logs(), st.randoms(use_true_random=False))
def test_any_order_of_events_gives_the_same_facts(events: list[Event], chance: random.Random) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)
    assert facts_of(shuffled) == facts_of(events)


@given(logs(), st.data())
def test_any_batching_of_events_gives_the_same_facts(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    assert combine(facts_of(events[:cut]), facts_of(events[cut:])) == facts_of(events)


@given(logs(), logs(), logs())
def test_facts_combine_in_any_grouping_and_order(one: list[Event], two: list[Event], three: list[Event]) -> None:
    # Places in a log are unique within one log, so only what adds up is taken from three.
    a, b, c = (facts_of(event for event in log if not isinstance(event, _LATEST)) for log in (one, two, three))
    assert combine(combine(a, b), c) == combine(a, combine(b, c))
    assert combine(a, b) == combine(b, a)
    assert combine(a, Facts()) == combine(Facts(), a) == a


@given(logs(), st.data())
def test_a_state_that_is_said_again_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    states = [event for event in events if isinstance(event, _LATEST)]
    again = data.draw(st.lists(st.sampled_from(states), max_size=5)) if states else []
    assert combine(facts_of(events), facts_of(again)) == facts_of(events)


_LATEST = MessageReached | CustomerSeen
