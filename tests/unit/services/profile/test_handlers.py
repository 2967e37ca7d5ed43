"""What a batch amounts to: outcomes in order, versions, lanes, and a cache that never decides anything."""

import json

import pytest

from services.profile.domain import fold
from services.profile.domain.clusters import Stored
from services.profile.domain.links import Cause
from services.profile.handlers import CONFLICT
from services.profile.state_cache import StateCache
from shared.contracts.envelope import header
from shared.contracts.partitioning import lane_of
from shared.runtime.clock import SystemClock
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import APPLIED, DUPLICATE
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import NO_CONNECTION, InMemoryCustomers, apply, new_handler, read_all

VIEWED = ("Product Viewed", "browse", {"product_id": "p"})


async def test_duplicates_within_a_batch_and_across_batches_change_nothing() -> None:
    handler = new_handler()
    one, two = record(interaction("m-1", VIEWED)), record(interaction("m-2", VIEWED))
    outcomes, published = await apply(handler, [one, one, two])
    assert outcomes == [APPLIED, DUPLICATE, APPLIED]
    assert len(published) == 3
    assert await apply(handler, [two, one]) == ([DUPLICATE, DUPLICATE], [])


async def test_the_same_id_with_another_payload_is_a_conflict_within_a_batch_and_across() -> None:
    handler = new_handler()
    one, other = record(interaction("m-1", VIEWED)), record(interaction("m-1", ("Product Viewed", "browse", {})))
    assert (await apply(handler, [one, other]))[0] == [APPLIED, CONFLICT]
    assert (await apply(handler, [other]))[0] == [CONFLICT]


async def test_a_customer_is_published_once_a_batch_at_the_last_activitys_version() -> None:
    handler = new_handler()
    await apply(handler, [record(interaction("m-0", VIEWED))])
    _, published = await apply(handler, [record(interaction(f"m-{n}", VIEWED)) for n in (1, 2, 3)])
    activities = [p.message for p in published if p.topic == "crm.activities.v1"]
    customers = [p.message for p in published if p.topic == "crm.customers.v1"]
    assert [json.loads(message.value or b"")["customer_version"] for message in activities] == [2, 3, 4]
    assert [header(message.headers, "ce_version") for message in customers] == ["4"]


async def test_messages_go_to_the_lane_of_the_customer() -> None:
    said = interaction("m-1", VIEWED)
    customer = said.identities[0].id
    _, published = await apply(new_handler(), [record(said, lane=7)])
    assert {publication.lane for publication in published} == {7}
    stray = record(said)
    stray = type(stray)(topic=stray.topic, partition=7, offset=0, key=b"another", value=stray.value)
    _, published = await apply(new_handler(), [stray])
    assert {publication.lane for publication in published} == {lane_of(customer, 4)}


async def test_a_batch_decided_twice_gives_the_same_and_touches_nothing_loaded() -> None:
    handler = new_handler()
    await apply(handler, [record(interaction("m-1", ("Order Completed", "order", {})))])
    events = read_all(handler, [record(interaction("m-2", ("Order Completed", "order", {})))])
    state = await handler.load(NO_CONNECTION, handler.keys(events, ()))
    once = handler.decide(events, (), state, SystemClock().now())
    again = handler.decide(events, (), state, SystemClock().now())
    assert [p.message.value for p in again.publications] == [p.message.value for p in once.publications]


async def test_a_cached_state_that_somebody_else_overtook_is_redone_and_not_written() -> None:
    store = InMemoryCustomers()
    ours, theirs = new_handler(store), new_handler(store)
    await apply(ours, [record(interaction("m-1", VIEWED))])
    await apply(theirs, [record(interaction("m-2", VIEWED))])
    with pytest.raises(StaleStateError):
        await apply(ours, [record(interaction("m-3", VIEWED))])
    ours.forget()
    _, published = await apply(ours, [record(interaction("m-3", VIEWED))])
    assert header(published[-1].message.headers, "ce_version") == "3"


async def test_an_empty_batch_writes_nothing() -> None:
    assert await apply(new_handler(), []) == ([], [])


def test_the_cache_holds_so_many_and_drops_who_was_not_written_for_longest() -> None:
    cache, stored = StateCache(2), Stored(1, fold.begin(START))
    cache.put([("a", stored), ("b", stored)])
    cache.put([("a", stored), ("c", stored)])
    found, missing = cache.split({"a": b"a", "b": b"b", "c": b"c"})
    assert (set(found), missing) == ({"a", "c"}, [b"b"])
    cache.clear()
    assert cache.split({"a": b"a"}) == ({}, [b"a"])


async def test_an_alias_is_a_merge_that_says_so() -> None:
    store = InMemoryCustomers()
    seen = interaction("m-1", VIEWED, (("anonymous_id", "an-1"),))
    alias = interaction("m-2", ("Alias Requested", "alias", {}), (("user_id", "u-1"), ("anonymous_id", "an-1")))
    _, published = await apply(new_handler(store), [record(seen)])
    _, published = await apply(new_handler(store), [record(alias)])
    user, cookie = alias.identities[0].id, seen.identities[0].id
    messages = {p.message.key.decode(): p.message for p in published if p.topic == "crm.customers.v1"}
    assert json.loads(messages[cookie].value or b"") == {
        "customer_id": cookie,
        "redirect_to": user,
        "memberships": {cookie: 2},
    }
    assert json.loads(messages[user].value or b"")["memberships"] == {cookie: 2}
    assert [link.cause for link in store.edges.values()] == [Cause.ALIAS]
