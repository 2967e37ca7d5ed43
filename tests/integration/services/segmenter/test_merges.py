"""Merges and their undoing on the real tables: rows, due instants, memberships and what is published of them."""

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from services.segmenter.cli import app
from shared.contracts.segments import Change, EventCause, MergeCause
from shared.contracts.topics import SEGMENT_MEMBERSHIPS
from shared.runtime.errors import StaleStateError
from shared.runtime.records import PlainRecord, Poison, Received
from tests.integration.services.segmenter.world import World
from tests.property.services.segmenter.merging_world import PEOPLE, SEGMENTS, START, Profile
from tests.property.services.segmenter.test_merging import live, reading

EVA, ADA, EVAS_TABLET = PEOPLE[:3]
LATELY = SEGMENTS[2]
ONCE, TWICE = SEGMENTS[:2]


@pytest.fixture(autouse=True)
def _settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


@pytest.fixture
def profile(world: World) -> Profile:
    """Give a profile, and a segmenter whose clock stands where its events end."""
    world.now = START
    return Profile()


async def hear(world: World, profile: Profile, *, backwards: bool = False) -> None:
    """Let the segmenter read what profile said meanwhile, each message in a batch of its own."""
    said = taken(profile)
    for record in reversed(said) if backwards else said:
        await world.feed(record)


def taken(profile: Profile) -> list[PlainRecord]:
    """Take what profile said meanwhile, all in the one lane that there is here."""
    said = [replace(record, partition=0) for record in profile.said]
    profile.said.clear()
    return said


def members(segment: str) -> Any:
    """List who is in, without what counts changes."""
    run = CliRunner().invoke(app, ["members", segment, "--json"])
    assert run.exit_code == 0, run.output
    return [{key: one[key] for key in ("customer_id", "since")} for one in json.loads(run.stdout)]


async def test_a_merge_takes_one_customer_out_and_lets_the_other_in_since_the_first(
    world: World, profile: Profile
) -> None:
    world.define(LATELY)
    profile.event(EVA, "Order", START - timedelta(minutes=20))
    profile.event(ADA, "View", START)
    await hear(world, profile)
    since = members("lately")[0]["since"]
    profile.merge(EVA, ADA)
    await hear(world, profile)
    assert members("lately") == [{"customer_id": ADA, "since": since}]
    changes = {change.customer_id: change for change in world.changes[1:]}
    assert {one: (change.change, change.cause) for one, change in changes.items()} == {
        EVA: (Change.EXITED, MergeCause()),
        ADA: (Change.ENTERED, MergeCause()),
    }
    states = {one.message.key: one.message.value for one in world.published if one.topic == SEGMENT_MEMBERSHIPS.name}
    assert states[f"{EVA}:lately".encode()] is None
    assert states[f"{ADA}:lately".encode()] is not None


async def test_the_clock_of_an_absorbed_customer_is_the_others_now_and_back(world: World, profile: Profile) -> None:
    world.define(LATELY)
    profile.event(EVA, "Order", START - timedelta(minutes=20))
    profile.event(ADA, "View", START)
    await hear(world, profile)
    leaves = START + timedelta(minutes=40)
    assert world.query("SELECT key, at FROM due") == [(EVA, leaves)]
    profile.merge(EVA, ADA)
    await hear(world, profile)
    assert world.query("SELECT key, at FROM due") == [(ADA, leaves)]
    profile.part([EVA])
    await hear(world, profile)
    assert world.query("SELECT key, at FROM due") == [(EVA, leaves)]


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_merge_and_its_undoing_leave_no_trace_in_the_lists_of_members(
    world: World, profile: Profile, *, backwards: bool
) -> None:
    world.define(*SEGMENTS)
    for number, one in enumerate((EVA, ADA, EVAS_TABLET)):
        profile.event(one, "Order" if number else "View", START - timedelta(minutes=7 * number))
    await hear(world, profile)
    segments = [segment.name for segment in world.catalogue.segments]
    before = {segment: members(segment) for segment in segments}
    assert sum(map(len, before.values())) > 5
    profile.merge(EVA, ADA)
    profile.merge(EVAS_TABLET, ADA)
    await hear(world, profile, backwards=backwards)
    assert members("never") == []
    assert {segment: members(segment) for segment in segments} != before
    profile.part([EVA])
    profile.part([EVAS_TABLET])
    await hear(world, profile, backwards=backwards)
    assert {segment: members(segment) for segment in segments} == before


async def test_an_event_that_merges_is_judged_apart_from_its_merge(world: World, profile: Profile) -> None:
    world.define(ONCE, TWICE)
    profile.event(EVA, "Order", START - timedelta(minutes=5))
    profile.event(ADA, "View", START - timedelta(minutes=4))
    await hear(world, profile)
    profile.merge(EVA, ADA)
    profile.event(ADA, "Order", START)
    said = taken(profile)
    await world.feed(*reversed(said))
    ada = [(change.segment, change.change, change.cause) for change in world.changes if change.customer_id == ADA]
    (bought,) = (json.loads(one.value)["message_id"] for one in said if one.topic == "crm.activities.v1" and one.value)
    assert ada == [
        ("once", Change.ENTERED, MergeCause()),
        ("once", Change.EXITED, EventCause(bought)),
        ("twice", Change.ENTERED, EventCause(bought)),
    ]


async def test_a_stale_word_about_an_identity_changes_nothing(world: World, profile: Profile) -> None:
    world.define(LATELY)
    profile.event(EVA, "Order", START)
    profile.event(ADA, "View", START)
    await hear(world, profile)
    profile.event(EVA, "View", START)
    late, _ = taken(profile)
    profile.merge(EVA, ADA)
    redirect, record = taken(profile)
    await world.feed(redirect, record, late)
    assert await world.inside("lately") == {ADA}
    profile.part([EVA])
    await hear(world, profile)
    await world.feed(redirect, late)
    assert await world.inside("lately") == {EVA}


async def test_a_merge_in_one_lane_and_an_event_in_another_do_not_both_win(world: World, profile: Profile) -> None:
    world.define(TWICE)
    profile.event(EVA, "Order", START)
    profile.event(ADA, "Order", START)
    await hear(world, profile)
    profile.event(ADA, "Order", START)
    ordered, _ = taken(profile)
    (said,) = world.handler.decode(ordered)
    assert not isinstance(said, Poison)
    events = [Received(ordered, 0, said)]
    state = await world.handler.load(world.connection, world.handler.keys(events, ()))
    profile.merge(EVA, ADA)
    await hear(world, profile)
    decision = world.handler.decide(events, (), state, world.now)
    with pytest.raises(StaleStateError):
        await world.handler.save(world.connection, decision.rows)


async def test_a_removed_customer_is_in_nothing(world: World, profile: Profile) -> None:
    world.define(*SEGMENTS)
    profile.event(EVA, "Order", START)
    await hear(world, profile)
    assert await world.inside("lately") == {EVA}
    profile.events[EVA].clear()
    profile.version[EVA] += 1
    profile.record(EVA)
    await hear(world, profile)
    assert world.query("SELECT count(*) FROM memberships WHERE inside") == [(0,)]


async def test_a_new_definition_judges_merged_customers_by_all_that_was_done(world: World, profile: Profile) -> None:
    world.define(LATELY)
    profile.event(EVA, "Order", START)
    profile.event(ADA, "Order", START)
    profile.merge(EVA, ADA)
    await hear(world, profile)
    world.define(LATELY, TWICE)
    world.later(minutes=1)
    cursor = await world.connection.execute(
        "INSERT INTO due SELECT lane, replace(customer_id::text, '-', ''), %s FROM customers"
        " ON CONFLICT (lane, key) DO UPDATE SET at = excluded.at",
        (world.now,),
    )
    assert cursor.rowcount == 2
    await world.tick()
    assert await world.inside("twice") == {ADA}


async def test_explain_says_whose_an_absorbed_customer_is_now(world: World, profile: Profile) -> None:
    world.define(ONCE)
    profile.event(EVA, "Order", START)
    profile.event(ADA, "View", START)
    profile.merge(EVA, ADA)
    await hear(world, profile)
    found = json.loads(CliRunner().invoke(app, ["explain", "once", EVA, "--json"]).stdout)
    assert (found["inside"], found["redirected_to"], found["why"], found["next_change_at"]) == (False, ADA, [], None)
    shown = CliRunner().invoke(app, ["explain", "once", EVA]).stdout
    # A title goes on in the next line wherever its table ends.
    assert f"{EVA}ispartof{ADA}now,out" in "".join(shown.split())
    found = json.loads(CliRunner().invoke(app, ["explain", "once", ADA, "--json"]).stdout)
    assert (found["inside"], found["redirected_to"]) == (True, None)
    assert found["why"] == [{"rule": "count(Order) == 1", "value": 1}]
    assert [entry["cause"] for entry in found["history"]] == [{"kind": "merge"}]


@pytest.mark.parametrize("seed", range(20))
async def test_any_merged_history_ends_on_the_tables_where_its_truth_is(
    world: World, profile: Profile, seed: int
) -> None:
    order = Random(seed)  # noqa: S311 - a history of a test, not a secret
    world.define(*SEGMENTS)
    kinds = ["event"] * 4 + ["merge"] * 3 + ["part", "part", "link"]
    steps = [("event", order.randrange(5), order.choice(["Order", "View"]), order.randrange(5000)) for _ in range(6)]
    later = [(order.choice(kinds), order.randrange(5), order.randint(1, 4), order.randrange(5000)) for _ in range(12)]
    live(profile, [*steps, *((kind, who, "Order" if kind == "event" else what, age) for kind, who, what, age in later)])
    read = reading(taken(profile), order)
    while read:
        size = order.randint(1, 5)
        await world.feed(*read[:size])
        read = read[size:]
    await world.tick()
    truth = profile.truth(world.now)
    inside = {(segment.name, one) for segment in world.catalogue.segments for one in await world.inside(segment.name)}
    assert inside == truth
    assert set(world.query("SELECT key FROM due")) <= {(one,) for one in profile.customer.values()}
