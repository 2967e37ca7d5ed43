"""Who has too much to be read in one snapshot is passed over and counted, and all others are compared."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import AsyncConnection

from services.profile.domain.identity_rules import IdentityRules
from services.profile.rebuilding.bounds import Bounds
from services.profile.rebuilding.checking import check_all
from services.profile.rebuilding.watching import COMPARED
from shared.contracts.interactions import Interaction
from tests.integration.services.profile.rebuilding import Watched, site_on
from tests.integration.services.profile.test_equality_check import value, worker
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import START, interaction, record

VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
EVA = ("email", "eva@example.com")
MANY = 700


@pytest.fixture
async def watched(database_url: str, connection: AsyncConnection) -> AsyncIterator[Watched]:
    """Have one customer of many events, a contested region of four, and five others."""
    said = [_event(number, ("user_id", "busy")) for number in range(MANY)]
    said += [_event(1000 + number, ("user_id", f"many-{number}"), EVA) for number in range(3)]
    said += [_event(2000 + number, ("user_id", f"lone-{number}")) for number in range(5)]
    await commit(new_handler(), connection, [record(one) for one in said])
    async with site_on(database_url, IdentityRules()) as found:
        yield found


async def test_who_has_too_many_events_is_passed_over_by_a_check(watched: Watched) -> None:
    site = replace(watched.site, bounds=Bounds(events=MANY - 1))
    found = await check_all(site, _nobody)
    assert (found.customers, found.pending, found.different) == (8, 1, 0)


async def test_who_has_just_as_many_events_as_are_read_is_compared(watched: Watched) -> None:
    found = await check_all(replace(watched.site, bounds=Bounds(events=MANY)), _nobody)
    assert (found.customers, found.pending, found.different) == (9, 0, 0)


async def test_a_rebuild_takes_whoever_has_many_events_too(watched: Watched) -> None:
    watched.site = replace(watched.site, bounds=Bounds(events=10))
    outcome = await watched.rebuild()
    assert (outcome.customers, outcome.different) == (9, 0)


@pytest.mark.parametrize("bounds", [Bounds(identities=3), Bounds(links=2)])
async def test_a_region_that_nobody_resolves_is_passed_over_by_check_and_rebuild(
    watched: Watched, bounds: Bounds
) -> None:
    watched.site = replace(watched.site, bounds=bounds)
    found = await check_all(watched.site, _nobody)
    assert (found.customers, found.pending, found.different) == (6, 3, 0)
    assert (await watched.rebuild()).customers == 6


async def test_the_check_that_runs_all_the_time_counts_whom_it_passes_over(watched: Watched) -> None:
    check, metrics = worker(watched, check_interval_seconds=0, check_customers=100)
    check.site = replace(check.site, bounds=Bounds(events=MANY - 1))
    assert await check.take_turn() is not None
    assert value(metrics, COMPARED, result="passed_over") == 1
    assert value(metrics, COMPARED, result="equal") == 8


def _event(number: int, *who: tuple[str, str]) -> Interaction:
    at = START + timedelta(seconds=number)
    return interaction(f"m-{number}", VIEWED, who, occurred_at=at, received_at=START + timedelta(days=1))


def _nobody(_customers: int) -> None:
    pass
