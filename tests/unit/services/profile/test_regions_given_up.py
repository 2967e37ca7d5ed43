"""A region above the larger limit is given up: it is not read whole, nobody retries it, and its customers go on."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.profile.docket import UNTANGLE
from services.profile.domain.decisions import DECISION, Decision, Kind, Ruling
from services.profile.handlers import ProfileHandler
from services.profile.ports import Whole
from shared.contracts.interactions import Interaction
from shared.runtime.handler import SetDue
from tests.property.services.profile.strategies import START, interaction
from tests.unit.services.profile.in_memory import InMemoryCustomers, new_handler, ring
from tests.unit.services.profile.test_large_regions import EVA, LATE, NOW, SAID, TILL, U1, U2, VIEWED, woken

MOST = 3


class Counting(InMemoryCustomers):
    """Notes how many identities were read as whole customers or regions."""

    def __init__(self) -> None:
        super().__init__()
        self.most_read = 0

    async def whole(self, connection: Any, roots: Any, regions: Any) -> Whole:
        """Read and count."""
        found = await super().whole(connection, roots, regions)
        self.most_read = max(self.most_read, len(found.identities))
        return found


class World:
    """A worker on a store whose regions are upset, and what it counted."""

    def __init__(self, at_once: int = 2, most: int = MOST) -> None:
        self.store, self.given_up = Counting(), list[int]()
        self.handler: ProfileHandler = new_handler(
            self.store, 0, at_once=at_once, most=most, count_given_up=self.given_up.append
        )

    def roots(self) -> dict[bytes, str | None]:
        """Tell who is whose."""
        return {key: row.after.root for key, row in self.store.rows.items()}

    async def decide(self, *decisions: Decision) -> Sequence[SetDue]:
        """Let the clock bring decisions; returns what it is to bring again."""
        self.store.decisions |= {one.id: one for one in decisions}
        decision = await ring(self.handler, [DECISION + one.id for one in decisions])
        return [one for one in decision.due if isinstance(one, SetDue)]


def said(who: Sequence[tuple[str, str]], minute: int) -> Interaction:
    """Make an event."""
    at = START + timedelta(minutes=minute)
    return interaction(f"m-{minute}-{who[0][1]}", VIEWED, tuple(who), occurred_at=at, received_at=NOW)


async def test_a_region_above_the_limit_is_given_up_once_and_its_customers_go_on() -> None:
    world = World()
    await woken(world.handler, SAID[:3], NOW)
    before = world.roots()
    due = await woken(world.handler, [LATE], NOW)
    assert len(due) == 1
    decision = await ring(world.handler, due)
    assert (decision.rows.graph, decision.publications, list(decision.due)) == (None, (), [])
    assert world.given_up == []  # it is not committed yet, as far as the handler knows
    # What comes later costs neither an instant nor a reading of the region.
    assert await woken(world.handler, [said((("user_id", "u-7"), TILL), 60)], NOW + timedelta(hours=1)) == {}
    assert world.given_up == [1]
    assert world.store.most_read <= MOST
    assert before.items() <= world.roots().items()
    assert len(world.store.timeline) == 5


async def test_what_did_not_commit_is_not_counted() -> None:
    world = World()
    await woken(world.handler, SAID[:3], NOW)
    await ring(world.handler, await woken(world.handler, [LATE], NOW))
    world.handler.forget()
    await woken(world.handler, [said((("user_id", "u-7"), TILL), 60)], NOW)
    assert world.given_up == []


async def test_a_decision_about_a_region_above_the_limit_is_refused_in_words_and_kept_so() -> None:
    world = World()
    await woken(world.handler, [*SAID[:3], LATE], NOW)
    before = world.roots()
    ids = {one.value: one.id for row in world.store.rows.values() for one in [row.ref]}
    asked = [
        Decision("1" * 32, NOW, Kind.MERGE, (ids["u-1"], ids["u-2"])),
        Decision("2" * 32, NOW, Kind.BLOCK, (ids["eva@example.com"],)),
        Decision("3" * 32, NOW, Kind.UNMERGE, (ids["u-2"], ids["till@example.com"])),
        Decision("4" * 32, NOW, Kind.SPLIT, (ids["u-2"], ids["till@example.com"])),
    ]
    again = await world.decide(*asked)
    assert [one.key for one in again if one.key.startswith(DECISION)] == [DECISION + one.id for one in asked[1:]]
    while keys := [one.key for one in again if one.key.startswith(DECISION)]:
        again = [one for one in (await ring(world.handler, keys)).due if isinstance(one, SetDue)]
    for one in asked:
        applied = world.store.applied[one.id]
        assert applied.refused is not None
        assert "More than 3 identities" in applied.refused
        assert (applied.ruling, applied.before) == (Ruling(), applied.after)
    assert world.roots() == before
    assert world.store.most_read <= MOST


async def test_letting_somebody_in_again_whom_too_many_were_named_with_is_refused() -> None:
    world = World(at_once=2000)
    for number in range(MOST + 1):
        await woken(world.handler, [said((("user_id", f"u-{number}"), EVA), number)], NOW)
    eva = next(row.ref.id for row in world.store.rows.values() if row.ref.value == EVA[1])
    await world.decide(Decision("5" * 32, NOW, Kind.UNBLOCK, (eva,)))
    assert world.store.applied["5" * 32].refused is not None


async def test_a_decision_that_fits_is_applied_beside_one_that_does_not() -> None:
    world = World()
    await woken(world.handler, [*SAID[:3], LATE, said((("user_id", "u-8"),), 1), said((("user_id", "u-9"),), 2)], NOW)
    ids = {one.value: one.id for row in world.store.rows.values() for one in [row.ref]}
    asked = [
        Decision("1" * 32, NOW, Kind.BLOCK, (ids["u-1"],)),
        Decision("2" * 32, NOW, Kind.MERGE, (ids["u-8"], ids["u-9"])),
    ]
    again = await world.decide(*asked)
    await ring(world.handler, [one.key for one in again])
    assert world.store.applied["1" * 32].refused is not None
    assert world.store.applied["2" * 32].refused is None
    assert len(set(world.store.applied["2" * 32].after.values())) == 1


async def test_the_clock_resolves_one_region_at_a_time() -> None:
    world = World(at_once=2, most=2000)
    pairs = [("a", "one@example.com"), ("b", "two@example.com")]
    said_of = [
        said((("user_id", f"{name}-{number}"), ("email", mail)), 10 + number)
        for name, mail in pairs
        for number in range(2)
    ]
    await woken(world.handler, said_of, NOW)
    late = [said((("user_id", f"{name}-1"), ("email", mail)), 0) for name, mail in pairs]
    due = await woken(world.handler, late, NOW)
    assert len(due) == 2
    assert sum(one.due is not None for one in world.store.regions.values()) == 2
    decision = await ring(world.handler, due)
    assert sum(one.due is not None for one in world.store.regions.values()) == 1
    again = [one.key for one in decision.due if isinstance(one, SetDue)]
    assert again == [key for key in due if key.startswith(UNTANGLE)][1:]
    await ring(world.handler, again)
    assert all(one.due is None for one in world.store.regions.values())


async def test_u1_stands_apart_from_u2_in_the_region_that_is_given_up() -> None:
    world = World()
    await woken(world.handler, [*SAID[:3], LATE], NOW)
    ids = {row.ref.value: row.after.root for row in world.store.rows.values()}
    assert ids[U1[1]] == ids[EVA[1]]
    assert ids[U2[1]] == ids[TILL[1]] != ids[U1[1]]
