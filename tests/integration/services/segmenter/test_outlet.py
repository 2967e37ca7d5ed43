from datetime import timedelta

from shared.contracts.topics import SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.runtime.handler import Current
from tests.integration.services.segmenter.records import ADA, EVA, activity, customer_record
from tests.integration.services.segmenter.world import BROWSING, START, World

AUSTRIAN_ADULT = """
segment: austrian-adult
rule:
  all:
    - {field: traits.country, operator: "==", value: AT}
    - {field: traits.age, operator: ">=", value: 18}
    - {field: orders.revenue.EUR, operator: ">", value: 35.50}
    - {field: last_at, operator: ">", value: 2025-01-31}
"""


async def lived(world: World) -> None:
    world.define(BROWSING, AUSTRIAN_ADULT)
    orders = {"count": 1, "revenue": [{"amount": "40.10", "currency": "EUR"}], "first_at": START, "last_at": START}
    await world.feed(
        customer_record(1, START, traits={"country": "AT", "age": 20}, orders=orders, lifecycle="customer")
    )
    await world.feed(activity("Product Viewed", START), activity("Product Viewed", START, customer=ADA, offset=1))
    world.later(seconds=5, microseconds=17)
    await world.tick()


async def test_a_change_is_rendered_again_byte_for_byte(world: World) -> None:
    await lived(world)
    said = [one for one in world.published if one.topic == SEGMENT_CHANGES.name]
    assert len(said) == 5
    keys = [one.key for one in reversed(said)]
    rendered = await world.outlet.render(world.connection, SEGMENT_CHANGES.name, keys)
    assert list(rendered) == [one.message for one in reversed(said)]


async def test_a_membership_is_rendered_as_it_is_now(world: World) -> None:
    await lived(world)
    last = {one.key: one.message for one in world.published if one.topic == SEGMENT_MEMBERSHIPS.name}
    rendered = await world.outlet.render(world.connection, SEGMENT_MEMBERSHIPS.name, list(last))
    assert list(rendered) == list(last.values())
    assert [message.value is None for message in rendered] == [False, True, True]


async def test_the_auditor_hears_of_every_membership_that_ever_was_and_of_nothing_else(world: World) -> None:
    await lived(world)
    browsing, adult = f"{EVA}:browsing-now".encode(), f"{EVA}:austrian-adult".encode()
    strangers = [b"not a key", b"\xff" * 32 + b":x", f"{'0' * 32}:browsing-now".encode(), b"z" * 32 + b":x"]
    current = await world.outlet.current(world.connection, SEGMENT_MEMBERSHIPS.name, [browsing, *strangers, adult])
    assert current == {browsing: Current(browsing, 2), adult: Current(adult, 1)}


async def test_topic_table_and_a_recomputation_agree_on_who_is_in(world: World) -> None:
    world.define(BROWSING)
    people = [f"{number:032x}" for number in range(1, 40)]
    for number, customer in enumerate(people):
        at = world.now - timedelta(seconds=number % 8)
        await world.feed(activity("Product Viewed", at, customer=customer, offset=number))
        world.later(milliseconds=200)
        await world.tick()
    replayed: dict[bytes, bytes | None] = {}
    for one in world.published:
        if one.topic == SEGMENT_MEMBERSHIPS.name:
            replayed[one.message.key] = one.message.value
    from_topic = {key.decode().partition(":")[0] for key, value in replayed.items() if value is not None}
    viewed = {
        customer: START + timedelta(milliseconds=200 * number) - timedelta(seconds=number % 8)
        for number, customer in enumerate(people)
    }
    recomputed = {customer for customer, at in viewed.items() if world.now - at < timedelta(seconds=5)}
    assert from_topic == await world.inside("browsing-now") == recomputed
    assert 0 < len(recomputed) < len(people)
