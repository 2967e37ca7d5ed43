"""Attacks that try to make one customer of many: limits hold, events stay cheap, and what was refused is counted.

Cost is counted in rows that are read, so that a slow machine shows nothing.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import settings
from psycopg import AsyncConnection

from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Link
from services.profile.ports import Pair, Whole
from shared.contracts.interactions import Interaction
from tests import oracle_people
from tests.property.services.profile.plain_rules import plainly
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import NO_CONNECTION, InMemoryCustomers, apply, new_handler, ring
from tests.unit.services.profile.topic_reader import CustomersRead, customers_of

DEEP = settings().max_examples >= 10_000
DEVICES = 100_000 if DEEP else 2_500
CHAIN = 20_000 if DEEP else 2_500
BATCH = 200
MOST_ASKED = 20
"""Questions a batch: what events name, then what those upset, read whole at most a few times."""
RULES = IdentityRules()

Who = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V")


class CountedCustomers(InMemoryCustomers):
    """Counts the rows that it is asked for, and how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.read = self.asked = 0

    async def identities(self, connection: AsyncConnection, keys: Collection[bytes]) -> Mapping[str, Stored]:
        return self._counted(await super().identities(connection, keys))

    async def clusters(
        self, connection: AsyncConnection, roots: Collection[str]
    ) -> tuple[Mapping[str, Cluster], Mapping[str, Territory]]:
        clusters, regions = await super().clusters(connection, roots)
        return self._counted(clusters), self._counted(regions)

    async def whole(self, connection: AsyncConnection, roots: Collection[str], regions: Collection[str]) -> Whole:
        found = await super().whole(connection, roots, regions)
        self._counted(found.identities)
        return found

    async def links(self, connection: AsyncConnection, pairs: Collection[Pair]) -> Mapping[Pair, Link]:
        return self._counted(await super().links(connection, pairs))

    async def links_among(self, connection: AsyncConnection, ids: Collection[str]) -> Mapping[Pair, Link]:
        return self._counted(await super().links_among(connection, ids))

    def _counted(self, rows: Mapping[K, V]) -> Mapping[K, V]:
        self.asked += 1
        self.read += len(rows)
        return rows


class Attacked:
    """What an attack made of the rows: `whose`, and the `largest` customer ever.

    `read` and `asked` are rows and questions of each batch, `refused` what was counted.
    """

    def __init__(self, events: Sequence[Interaction]) -> None:
        self.store = CountedCustomers()
        self.topic = CustomersRead()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.largest = 1
        self.read: list[int] = []
        self.asked: list[int] = []
        self._handler = new_handler(self.store, count_refused=self._count)
        asyncio.run(self._take(events))
        values = [record(one).value or b"" for one in events]
        self.expected = oracle_people.whose(values, plainly(RULES))

    def _count(self, reason: str, kind: str, count: int) -> None:
        self.refused[reason, kind] += count

    async def _take(self, events: Sequence[Interaction]) -> None:
        woken: set[str] = set()
        for start in range(0, len(events), BATCH):
            before, asked = self.store.read, self.store.asked
            batch = [record(one) for one in events[start : start + BATCH]]
            self.topic.take((await apply(self._handler, batch, woken=woken))[1])
            self.read.append(self.store.read - before)
            self.asked.append(self.store.asked - asked)
            self._look()
        self.topic.take((await ring(self._handler, sorted(woken))).publications)
        await self._handler.load(NO_CONNECTION, self._handler.keys((), ()))  # which counts what the last batch refused
        self._look()

    def _look(self) -> None:
        sizes = (one.summary.size for one in self.store.customers.values())
        self.largest = max(self.largest, *sizes, 1)

    @property
    def whose(self) -> dict[str, str]:
        """Tell whose each identity is by the rows."""
        rows = {key.hex(): row.after.root for key, row in self.store.rows.items()}
        return {name: root or name for name, root in rows.items()}


def attack(
    groups: Sequence[Sequence[Who]], order: str, name: str = "Product Viewed", family: str = "browse"
) -> Attacked:
    """Let each group be named together by an event, one a second, arriving in this order."""
    events = [
        interaction(
            f"m-{number}", (name, family, {}), who,
            occurred_at=START + timedelta(seconds=number), received_at=START + timedelta(days=30),
        )
        for number, who in enumerate(groups)
    ]  # fmt: skip
    if order == "backwards":
        events.reverse()
    elif order == "shuffled":
        random.Random(7).shuffle(events)  # noqa: S311 - the same each time
    found = Attacked(events)
    assert found.whose == found.expected
    assert asyncio.run(customers_of(found.store)) == found.topic.records()
    return found


orders = pytest.mark.parametrize("order", ["in order", "backwards", "shuffled"])


@orders
@pytest.mark.parametrize("star", [("email", "shop@example.com"), ("user_id", "kiosk-17")], ids=["mailbox", "user id"])
def test_an_identifier_on_very_many_devices_joins_none_of_them(star: Who, order: str) -> None:
    found = attack([(star, ("anonymous_id", f"device-{number}")) for number in range(DEVICES)], order)
    assert found.largest <= 1 + RULES.limit("anonymous_id")
    assert all(name == customer for name, customer in found.whose.items())
    # Once it is too popular, an event costs the row of the star, one of the device, and nothing for all others.
    assert max(found.asked) <= MOST_ASKED
    late = found.read[2 * RULES.most_partners // BATCH :]
    assert max(late) <= 3 * BATCH
    assert sum(found.read) <= 3 * DEVICES + 4 * RULES.most_partners * RULES.most_partners // BATCH
    assert found.refused["nobody", "anonymous_id"] == DEVICES - RULES.most_partners
    assert found.refused["over_limit", "anonymous_id"] <= RULES.most_partners


@orders
@pytest.mark.parametrize("kind", ["user_id", "anonymous_id"])
def test_a_chain_of_aliases_makes_no_customer_larger_than_its_limit(kind: str, order: str) -> None:
    links = list(pairwise((kind, f"link-{number}") for number in range(CHAIN)))
    found = attack(links, order, "Alias Requested", "alias")
    assert found.largest <= RULES.limit(kind)
    assert found.refused["over_limit", kind] > 0 or (kind, order) == ("anonymous_id", "shuffled")
    # Too large a region is left to the clock; of those that are not, a batch reads each identity a few times at most,
    # however many events upset it. Over all, an event costs so many rows.
    assert max(found.asked) <= MOST_ASKED
    assert max(found.read) <= 4 * CHAIN
    assert sum(found.read) <= 32 * CHAIN


def test_two_families_on_one_tablet_stay_as_many_customers_as_they_are_people() -> None:
    tablet = ("ios.id", "tablet")
    people = [("user_id", f"{family}-{number}") for family in ("left", "right") for number in range(4)]
    home = [("email", f"home@{name[1].partition('-')[0]}.example.com") for name in people]
    groups = [
        group
        for lap in range(3)
        for person, address in zip(people, home, strict=True)
        for group in [(person, tablet), (person, address), (tablet,), (person, ("anonymous_id", f"{person[1]}-{lap}"))]
    ]
    found = attack(groups, "shuffled")
    ids = {one.value: one.id for row in found.store.rows.values() for one in [row.ref]}
    assert len({found.whose[ids[person]] for _, person in people}) == len(people)
    assert found.whose[ids["tablet"]] == ids["right-3"]
    assert found.refused["over_limit", "user_id"] > 0


def test_a_value_that_stands_for_nobody_is_refused_from_the_first_event() -> None:
    groups = [(("user_id", "test"), ("anonymous_id", f"device-{number}")) for number in range(BATCH)]
    rules = IdentityRules(blocked={"user_id": frozenset({"test"})})
    refused: Counter[tuple[str, str]] = Counter()
    store = InMemoryCustomers()

    def count(reason: str, kind: str, many: int) -> None:
        refused[reason, kind] += many

    async def taken() -> None:
        handler = new_handler(store, rules=rules, count_refused=count)
        events = [
            interaction(f"m-{number}", ("Product Viewed", "browse", {}), who) for number, who in enumerate(groups)
        ]
        await apply(handler, [record(one) for one in events])
        await handler.load(NO_CONNECTION, handler.keys((), ()))

    asyncio.run(taken())
    assert refused == {("blocked", "anonymous_id"): BATCH}
    assert store.customers == {}
