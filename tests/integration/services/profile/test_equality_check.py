"""The check that runs all the time: each customer has its turn, one worker takes it, and a difference is counted."""

import asyncio
import random
from typing import cast

import pytest
from psycopg import AsyncConnection

from services.profile.app import Checker
from services.profile.domain.identity_rules import IdentityRules
from services.profile.rebuilding.checking import check_all, check_some
from services.profile.rebuilding.site import Rules
from services.profile.rebuilding.watching import COMPARED, LAST_RUN, EqualityCheck
from services.profile.settings import ProfileSettings
from shared.runtime.clock import SystemClock
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.worker import Runtime
from tests.integration.services.profile.rebuilding import Watched, site_on, wrong_trait
from tests.integration.services.profile.test_rebuild import lived
from tests.integration.services.profile.test_rebuild_meanwhile import couples

RULES = IdentityRules()


def settings(**more: object) -> ProfileSettings:
    """Make settings that name no server."""
    return ProfileSettings.model_validate(
        {
            "kafka_bootstrap_servers": "127.0.0.1:9092",
            "database_url": "postgresql://user:password@127.0.0.1:5432/crm",
            **more,
        }
    )


def worker(watched: Watched, **more: object) -> tuple[EqualityCheck, Metrics]:
    """Make a worker's check, and the metrics it counts in."""
    metrics, chosen = Metrics("profile"), settings(**more)
    site = watched.site
    runtime = Runtime(
        chosen, site.pool, site.transactions.claims, site.transactions, SystemClock(), metrics, NullFailpoints(),
        Health(),
    )  # fmt: skip
    return EqualityCheck(runtime, chosen, Rules(RULES)), metrics


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Read what a metric shows."""
    return cast("float", metrics.registry.get_sample_value(name, labels))


async def test_every_customer_has_its_turn_and_a_difference_is_counted(
    database_url: str, connection: AsyncConnection
) -> None:
    chance = random.Random(3)  # noqa: S311 - a seeded history
    await lived(connection, couples(), RULES, chance)
    await wrong_trait(connection, chance)
    await connection.commit()
    async with site_on(database_url, RULES) as watched:
        check, metrics = worker(watched, check_interval_seconds=0, check_customers=20)
        turns = [await check.take_turn() for _ in range(3)]
    compared = sum(turn.customers for turn in turns if turn is not None)
    assert compared == 40
    assert value(metrics, COMPARED, result="different") == 1
    assert value(metrics, COMPARED, result="equal") == 39
    assert value(metrics, LAST_RUN) > 0


async def test_of_two_workers_one_takes_the_turn(database_url: str, connection: AsyncConnection) -> None:
    await lived(connection, couples(), RULES, random.Random(3))  # noqa: S311 - a seeded history
    async with site_on(database_url, RULES) as watched:
        first, _ = worker(watched, check_interval_seconds=60)
        second, metrics = worker(watched, check_interval_seconds=60)
        assert await first.take_turn() is not None
        assert await second.take_turn() is None
    assert value(metrics, COMPARED, result="equal") == 0


async def test_a_worker_checks_by_itself_until_it_stops(database_url: str, connection: AsyncConnection) -> None:
    await lived(connection, couples(), RULES, random.Random(3))  # noqa: S311 - a seeded history
    async with site_on(database_url, RULES) as watched:
        check, metrics = worker(watched, check_interval_seconds=0.01, check_customers=10)
        checker = Checker(check)
        await checker.start()
        await asyncio.wait_for(_compared(metrics, 40), 30)
        await checker.stop()
    assert value(metrics, COMPARED, result="different") == 0


async def test_who_cannot_be_compared_stops_neither_the_worker_nor_the_check_of_others(
    database_url: str, connection: AsyncConnection
) -> None:
    await lived(connection, couples(), RULES, random.Random(3))  # noqa: S311 - a seeded history
    await connection.execute(
        "UPDATE identities SET doc = '\\x00' WHERE id = (SELECT id FROM identities ORDER BY id OFFSET 12 LIMIT 1)"
    )
    await connection.commit()
    async with site_on(database_url, RULES) as watched:
        check, metrics = worker(watched, check_interval_seconds=0.01, check_customers=5)
        checker = Checker(check)
        await checker.start()
        await asyncio.wait_for(_compared(metrics, 60), 30)
        assert not checker.crashed
        await checker.stop()


async def _compared(metrics: Metrics, customers: int) -> None:
    while True:
        if value(metrics, COMPARED, result="equal") >= customers:
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("most", [5, 40, 1000])
async def test_a_sample_and_all_find_nothing_wrong_where_nothing_is(
    database_url: str, connection: AsyncConnection, most: int
) -> None:
    await lived(connection, couples(), RULES, random.Random(3))  # noqa: S311 - a seeded history
    async with site_on(database_url, RULES) as watched:
        some = await check_some(watched.site, most, lambda _: None)
        everybody = await check_all(watched.site, lambda _: None)
    assert some.customers >= min(most, 5)
    assert (some.different, everybody.different, everybody.customers) == (0, 0, 40)


async def test_checking_all_finds_who_was_changed_and_where(database_url: str, connection: AsyncConnection) -> None:
    chance = random.Random(3)  # noqa: S311 - a seeded history
    await lived(connection, couples(), RULES, chance)
    await wrong_trait(connection, chance)
    await connection.commit()
    async with site_on(database_url, RULES) as watched:
        found = await check_all(watched.site, lambda _: None)
    assert found.different == len(found.differences) == 1
