from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmenter.domain.customer import pack, unpack
from services.segmenter.domain.explanation import explain
from services.segmenter.domain.horizon import horizon
from services.segmenter.domain.instants import NEVER, instant, moment
from services.segmenter.domain.predicate import compiled
from services.segmenter.domain.reads import reads
from services.segmenter.domain.rules import Compare, Count, Rule
from tests.property.services.segmenter.plain_reading import is_true
from tests.property.services.segmenter.rules_and_lives import (
    NOW,
    WINDOWS,
    Life,
    counts,
    customer_of,
    lives,
    rules,
)

TICK = timedelta(microseconds=1)


def turns(life: Life) -> list[datetime]:
    """List every instant from now on at which anything could change, and its neighbours."""
    times = [at for _, at in life.events]
    at_stake = {time + length for time in times for length in (timedelta(0), *WINDOWS.values())}
    return sorted({near for at in at_stake for near in (at - TICK, at, at + TICK) if near >= NOW})


@settings(max_examples=400)
@given(rules, lives)
def test_the_compiled_predicate_says_what_the_rule_means(rule: Rule, life: Life) -> None:
    customer = customer_of(life)
    judge = compiled(rule)
    for at in [NOW, *turns(life)]:
        assert judge(customer, instant(at)) is is_true(rule, life, at)


@settings(max_examples=400)
@given(rules, lives)
def test_a_truth_holds_until_the_instant_that_the_horizon_names(rule: Rule, life: Life) -> None:
    truth, until = horizon(rule)(customer_of(life), instant(NOW))
    assert truth is is_true(rule, life, NOW)
    assert until > instant(NOW)
    for at in turns(life):
        if instant(at) < until:
            assert is_true(rule, life, at) is truth


@given(counts, lives)
def test_a_count_that_only_loses_events_changes_exactly_at_its_horizon(rule: Count, life: Life) -> None:
    past = Life(tuple({at: (name, at) for name, at in life.events if at <= NOW}.values()))
    truth, until = horizon(rule)(customer_of(past), instant(NOW))
    later = [at for at in turns(past) if is_true(rule, past, at) is not truth]
    # With no two events at one time, nothing makes the horizon cautious.
    assert until == (instant(later[0]) if later else NEVER)


@given(rules, lives)
def test_following_the_horizon_finds_every_change(rule: Rule, life: Life) -> None:
    customer, look = customer_of(life), horizon(rule)
    found, at = [], instant(NOW)
    truth, until = look(customer, at)
    while until < NEVER:
        at = until
        now_true, until = look(customer, at)
        if now_true is not truth:
            found.append(moment(at))
            truth = now_true
    expected, before = [], is_true(rule, life, NOW)
    for turn in turns(life):
        if is_true(rule, life, turn) is not before:
            expected.append(turn)
            before = not before
    assert found == expected


@given(rules, lives)
def test_a_rule_depends_on_nothing_but_what_it_reads(rule: Rule, life: Life) -> None:
    read = reads(rule)
    less = Life(tuple(event for event in life.events if event[0] in read.events), life.record if read.fields else None)
    for at in [NOW, *turns(life)]:
        assert compiled(rule)(customer_of(less), instant(at)) is is_true(rule, life, at)


@given(rules, lives)
def test_an_explanation_names_at_least_one_fact_and_no_rule_twice_as_often_as_it_stands(rule: Rule, life: Life) -> None:
    facts = explain(rule, customer_of(life), instant(NOW))
    assert facts
    if isinstance(rule, Count | Compare):
        assert len(facts) == 1


@given(lives, st.randoms())
def test_the_order_in_which_events_arrive_changes_nothing(life: Life, chance: object) -> None:
    shuffled = list(life.events)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert customer_of(Life(tuple(shuffled), life.record)).tallies == customer_of(life).tallies


@given(lives)
def test_a_customer_comes_back_from_the_table_as_they_went_in(life: Life) -> None:
    customer = customer_of(life)
    assert unpack(pack(customer)) == customer
