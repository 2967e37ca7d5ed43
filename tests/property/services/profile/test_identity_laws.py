"""The laws of the identity graph: order never shows, summaries decide as reading everything would, undoing undoes."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.graph import Resolution, is_contested
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Mark, Verdict, Word
from tests.property.services.profile import histories
from tests.property.services.profile.histories import START, Said, Seen, Step, told
from tests.unit.services.profile.identity_book import IdentityBook, everything, groups

LATER = Mark(START + timedelta(days=9), "by hand")


def resolved(book: IdentityBook) -> Resolution:
    return everything(book.nodes, book.links, book.rules)


@given(histories.histories, histories.rules, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_identities_links_and_customers(
    history: list[Step], rules: IdentityRules, chance: random.Random
) -> None:
    straight = told(IdentityBook(rules), history)
    shuffled = chance.sample(history, len(history))
    other = told(IdentityBook(rules), shuffled)
    assert (other.nodes, other.links) == (straight.nodes, straight.links)
    assert other.groups() == straight.groups()
    assert resolved(other) == resolved(straight)


@given(histories.histories, histories.rules)
def test_each_step_decided_from_summaries_ends_as_resolving_everything_does(
    history: list[Step], rules: IdentityRules
) -> None:
    book = IdentityBook(rules)
    for step in history:
        told(book, [step])
        whole = resolved(book)
        assert book.groups() == groups(whole)
        regions = {frozenset(n.id for c in region.components for n in c.members): region for region in whole.regions}
        kept = {
            frozenset(name for component in components for name in book.components[component]): book.regions[region]
            for region, components in book.components_in.items()
        }
        assert kept.keys() == regions.keys()
        for members, region in regions.items():
            assert (kept[members].counts, kept[members].contested) == (region.counts, region.contested)
            last = kept[members].last
            assert region.last is None or (last is not None and last >= region.last)


@given(histories.histories, histories.rules)
def test_a_repeated_event_changes_nothing(history: list[Step], rules: IdentityRules) -> None:
    book = told(IdentityBook(rules), history)
    before = (dict(book.nodes), dict(book.links), book.groups())
    told(book, [step for step in history if isinstance(step, Seen)])
    assert (book.nodes, book.links, book.groups()) == before


@given(histories.events, histories.rules)
def test_no_customer_of_events_alone_exceeds_a_limit(history: list[Seen], rules: IdentityRules) -> None:
    for component in resolved(told(IdentityBook(rules), list(history))).components:
        assert not is_contested(component.counts, rules)


@given(histories.histories, histories.rules, st.data())
def test_merge_then_unmerge_equals_never_merged_whatever_comes_between(
    history: list[Step], rules: IdentityRules, data: st.DataObject
) -> None:
    names = st.sampled_from(histories.NAMES)
    one, other = data.draw(st.lists(names, min_size=2, max_size=2, unique=True))
    history = [step for step in history if not (isinstance(step, Said) and {step.one, step.other} == {one, other})]
    here = data.draw(st.integers(0, len(history)))
    there = data.draw(st.integers(here, len(history)))
    free = Said(one, other, Word(LATER._replace(message_id="later"), Verdict.FREE))
    merge = Said(one, other, Word(LATER, Verdict.TOGETHER))
    undone = told(IdentityBook(rules), [*history[:here], merge, *history[here:there], free, *history[there:]])
    never = told(IdentityBook(rules), [*history, free])
    assert undone.groups() == never.groups()
    plain = told(IdentityBook(rules), list(history))
    assert {group for group in undone.groups() if len(group) > 1} == {
        group for group in plain.groups() if len(group) > 1
    }


@given(histories.events, histories.rules)
def test_in_the_order_of_their_marks_events_are_never_untangled_but_by_devices_and_crowds(
    history: list[Seen], rules: IdentityRules
) -> None:
    calm = IdentityRules(priority=rules.priority, limits=rules.limits, devices=frozenset())
    book = IdentityBook(calm)
    for number, step in enumerate(history):
        told(book, [Seen(step.names, Mark(START + timedelta(minutes=number), "m"))])
    assert book.untangled == 0
    assert book.groups() == groups(resolved(book))


@given(histories.histories, histories.rules)
def test_who_is_called_what_is_told_once_and_leads_to_the_customer(history: list[Step], rules: IdentityRules) -> None:
    book = IdentityBook(rules)
    for step in history:
        told(book, [step])
        before = dict(book.memberships)
        whole = resolved(book)
        renamed = book.rename(whole)
        for component in whole.components:
            for node in component.members:
                assert book.memberships[node.id].customer_id == component.members[0].id
        for name, membership in book.memberships.items():
            changed = membership.customer_id != before[name].customer_id
            assert membership.version == before[name].version + changed
        assert renamed.redirects.keys().isdisjoint(renamed.revived)
        assert book.rename(whole).moves == ()
