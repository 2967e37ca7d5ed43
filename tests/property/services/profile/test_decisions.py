"""Decisions of people among events: whatever came when, rows and topic hold what the set of both says."""

import asyncio
import random
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.decisions import DECISION, Decision, Kind
from services.profile.domain.event import event_of
from services.profile.domain.identity_rules import IdentityRules
from services.profile.handlers import ProfileHandler
from shared.contracts.interactions import Interaction
from shared.runtime.errors import StaleStateError
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.deeds import deed
from tests.property.services.profile.oracle_held import expected, holds
from tests.property.services.profile.plain_rules import ruled
from tests.property.services.profile.strategies import START, record
from tests.unit.services.profile.customer_book import CustomerBook
from tests.unit.services.profile.in_memory import InMemoryCustomers, apply, new_handler, ring
from tests.unit.services.profile.topic_reader import CustomersRead, customers_of


class Life:
    """A store, two workers on it, and what a consumer has read."""

    def __init__(self, rules: IdentityRules, cached: int, at_once: int) -> None:
        self.store, self.topic = InMemoryCustomers(), CustomersRead()
        self.workers = [new_handler(self.store, cached, rules, at_once) for _ in range(2)]
        self.due: set[str] = set()

    def say(self, worker: ProfileHandler, said: Sequence[Interaction]) -> None:
        """Let events come in one batch."""
        batch = [record(one) for one in said]
        for _ in range(2):
            try:
                events = asyncio.run(apply(worker, batch, woken=self.due))
            except StaleStateError:
                worker.forget()
            else:
                self.topic.take(events[1])
                return
        raise AssertionError("a batch was stale twice with nobody else at work")

    def ring(self, worker: ProfileHandler, keys: Iterable[str]) -> None:
        """Let the clock bring these."""
        decision = asyncio.run(ring(worker, keys))
        self.topic.take(decision.publications)
        self.due |= {one.key for one in decision.due}

    def decide(self, worker: ProfileHandler, decisions: Sequence[Decision]) -> None:
        """Let people decide, and the clock bring it to a worker."""
        self.store.decisions |= {one.id: one for one in decisions}
        self.ring(worker, [DECISION + one.id for one in decisions])

    def settle(self) -> None:
        """Let the clock bring all that waits for it."""
        for _ in range(len(self.due)):  # one region at a time
            waiting, self.due = self.due, set()
            self.ring(self.workers[0], sorted(waiting))
        assert not self.due, "what the clock resolves is resolved"
        assert all(one.due is None for one in self.store.regions.values())

    def known(self) -> list[str]:
        """Return every identity that was seen, in an order that does not depend on the run."""
        return sorted(key.hex() for key in self.store.rows)


@given(
    crowds,
    histories.rules,
    st.randoms(use_true_random=False),
    st.sampled_from([0, 3, 1000]),
    st.sampled_from([2, 2000]),
)
def test_events_and_decisions_in_any_order_end_as_the_model_of_their_set(
    said: list[Interaction], rules: IdentityRules, chance: random.Random, cached: int, at_once: int
) -> None:
    life, decided = Life(rules, cached, at_once), list[Decision]()
    again = [*said, *chance.sample(said, len(said) // 3)]
    chance.shuffle(again)
    while again or (decided and chance.random() < 0.5):
        worker, known = chance.choice(life.workers), life.known()
        size = chance.choice([1, 2, 5, 20])
        batch, again = again[:size], again[size:]
        if batch:
            life.say(worker, batch)
        if len(known) > 3:
            some = [deed(chance, known, decided) for _ in range(chance.choice([0, 0, 1, 1, 2]))]
            decided += some
            life.decide(chance.choice(life.workers), some)
        if chance.random() < 0.2:
            life.settle()
    life.settle()
    book = CustomerBook(rules)
    book.take([event_of(one) for one in said])
    applied = list(life.store.applied.values())
    assert {one.decision.id for one in applied} == {one.id for one in decided}
    chance.shuffle(applied)
    for one in applied:
        book.rule(one.decision.mark, one.ruling)
    assert asyncio.run(customers_of(life.store)) == book.records()
    assert life.topic.records() == book.records()
    holds(life.topic, *expected(said, rules, ruled(applied)))


@given(crowds, histories.rules, st.randoms(use_true_random=False), st.sampled_from([2, 2000]))
def test_merge_then_unmerge_equals_never_merged_whatever_comes_between(
    said: list[Interaction], rules: IdentityRules, chance: random.Random, at_once: int
) -> None:
    merged, never = Life(rules, 3, at_once), Life(rules, 3, at_once)
    here = chance.randint(1, len(said))
    there = chance.randint(here, len(said))
    one, other = (life.say for life in (merged, never))
    one(merged.workers[0], said[:here])
    known = merged.known()
    if len(known) < 2:
        return
    pair = tuple(chance.sample(known, 2))
    merge = Decision("a" * 32, START, Kind.MERGE, pair)
    merged.decide(merged.workers[1], [merge])
    one(merged.workers[0], said[here:there])
    merged.decide(merged.workers[0], [Decision("b" * 32, START, Kind.UNMERGE, pair, merge.id)])
    one(merged.workers[1], said[there:])
    other(never.workers[0], said)
    for life in (merged, never):
        life.settle()
    assert asyncio.run(customers_of(merged.store)) == asyncio.run(customers_of(never.store))
    assert merged.topic.records() == never.topic.records()
    assert whose(merged.store) == whose(never.store)


def whose(store: InMemoryCustomers) -> dict[bytes, tuple[str, bytes]]:
    """Return whose each activity is by its identity, and what was said in it."""
    roots = {key.hex(): row.after.root or key.hex() for key, row in store.rows.items()}
    return {key: (roots[entry.event.owner.id], entry.event.payload) for key, entry in store.timeline.items()}
