"""The laws of the fold: order, repetition and batching do not show; an oracle that shares no code agrees."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.record import portray, record_of, render
from services.profile.domain.state import State, dump, load
from services.profile.handlers import ProfileHandler
from shared.contracts.codec import canonical
from shared.contracts.interactions import Interaction
from shared.runtime.handler import APPLIED, DUPLICATE, Publication
from shared.runtime.records import PlainRecord
from tests import oracle, oracle_people
from tests.property.services.profile.plain_rules import plainly
from tests.property.services.profile.strategies import interaction, interactions, record
from tests.unit.services.profile.in_memory import InMemoryCustomers, apply, new_handler
from tests.unit.services.profile.topic_reader import CustomersRead, customers_of


def records(store: InMemoryCustomers) -> dict[str, bytes]:
    """Render every stored customer."""
    return asyncio.run(customers_of(store))


def states(store: InMemoryCustomers) -> dict[str, State]:
    """Return the state of every identity that did anything."""
    found = {key.hex(): row.stored().state for key, row in store.rows.items()}
    return {name: state for name, state in found.items() if state is not None}


def cut(records: Sequence[PlainRecord], cuts: Iterable[int]) -> list[Sequence[PlainRecord]]:
    """Cut a sequence into batches."""
    places = [0, *sorted(place % (len(records) + 1) for place in cuts), len(records)]
    return [records[start:end] for start, end in pairwise(places) if start < end]


def run(handler: ProfileHandler, batches: Iterable[Sequence[PlainRecord]]) -> list[Publication]:
    """Apply batches, and return all that was published."""

    async def applied() -> list[Publication]:
        return [publication for batch in batches for publication in (await apply(handler, batch))[1]]

    return asyncio.run(applied())


def once(events: Sequence[Interaction]) -> InMemoryCustomers:
    """Apply each event once, in one batch, in the order given."""
    store = InMemoryCustomers()
    run(new_handler(store), [[record(event) for event in events]])
    return store


@given(interactions(), st.randoms(use_true_random=False), st.lists(st.integers(0, 60), max_size=6), st.integers(0, 2))
def test_any_order_repetition_and_batching_gives_the_same_records_and_timeline(
    events: list[Interaction], chance: random.Random, cuts: list[int], cached: int
) -> None:
    straight = once(events)
    repeated = [*events, *chance.sample(events, chance.randint(0, len(events)))]
    chance.shuffle(repeated)
    store = InMemoryCustomers()
    run(new_handler(store, cached), cut([record(event) for event in repeated], cuts))
    assert records(store) == records(straight)
    assert store.timeline.keys() == straight.timeline.keys()


@given(interactions(), st.lists(st.integers(0, 60), max_size=6))
def test_the_last_published_record_of_each_customer_is_the_oracles(events: list[Interaction], cuts: list[int]) -> None:
    feed = [record(event) for event in events]
    published = run(new_handler(), cut(feed, cuts))
    topic = CustomersRead()
    topic.take(published)
    values = [one.value or b"" for one in feed]
    expected = oracle.fold(values, oracle_people.whose(values, plainly(IdentityRules())))
    found = {key: json.loads(value, parse_float=Decimal) for key, value in topic.records().items()}
    assert found == expected


@given(interactions())
def test_a_record_drawn_in_parts_is_the_contracts_canonical_record(events: list[Interaction]) -> None:
    for name, state in states(once(events)).items():
        assert render(name, state, portray(state, None)) == canonical(record_of(name, state))


@given(interactions())
def test_a_stored_state_is_read_back_as_it_was(events: list[Interaction]) -> None:
    for state in states(once(events)).values():
        assert load(dump(state)) == state


@given(interactions(), st.lists(st.integers(0, 60), max_size=6))
def test_no_two_events_of_a_customer_have_one_version(events: list[Interaction], cuts: list[int]) -> None:
    store = InMemoryCustomers()
    published = run(new_handler(store), cut([record(event) for event in events], cuts))
    activities = [json.loads(p.message.value or b"") for p in published if p.topic == "crm.activities.v1"]
    versions = Counter((one["customer_id"], one["customer_version"]) for one in activities)
    assert set(versions.values()) == {1}
    held = {key.hex(): row.after.version for key, row in store.rows.items()}
    held |= {root: one.version for root, one in store.customers.items()}
    assert all(version <= held[customer] for customer, version in versions)


@given(interactions(), st.integers(0, 24))
def test_a_second_event_with_the_same_id_changes_nothing(events: list[Interaction], place: int) -> None:
    chosen = events[place % len(events)]
    other = interaction(
        chosen.message_id, ("Other", "generic", {"x": 1}), occurred_at=chosen.occurred_at, source=chosen.source
    )
    later = interaction(
        chosen.message_id,
        (chosen.name, chosen.family, json.loads(bytes(chosen.payload), parse_float=Decimal)),
        [(identity.kind, identity.value) for identity in chosen.identities],
        occurred_at=chosen.occurred_at + timedelta(days=1),
        received_at=chosen.received_at + timedelta(days=1),
        source=chosen.source,
    )
    store = once(events)
    before = records(store)
    outcomes, published = asyncio.run(apply(new_handler(store), [record(chosen), record(other), record(later)]))
    assert outcomes[0] == outcomes[2] == DUPLICATE
    assert outcomes[1] not in (APPLIED, DUPLICATE)
    assert (records(store), list(published)) == (before, [])
