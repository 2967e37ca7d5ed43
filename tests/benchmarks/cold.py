"""The full hop on customers that nothing has in memory: what an event costs with ten thousand and with a million."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from shared.local.stack import StackAddresses
from tests.benchmarks import hop, population
from tests.benchmarks.baskets import Basket, baskets
from tests.benchmarks.interactions import interactions, publish
from tests.benchmarks.measured import Measured
from tests.benchmarks.population import Person
from tests.benchmarks.rows import Bench, Row

EVENTS = 50_000
GOAL = 1.5
_STRIDE = 7_919
"""A prime that divides none of the sizes: every customer comes by before one comes again, and no two are neighbours."""


def measure(bench: Bench) -> Row:
    """Fill the tables to each size and run the same baskets through, by a new worker that remembers nobody.

    PostgreSQL is restarted after each fill, so that its buffers are empty; the system's cache of its files is not.
    """
    found = baskets()
    somebody = population.people(found)
    figures = {str(size): _measure(bench, found[:EVENTS], somebody, size) for size in bench.customers}
    least, most = figures[str(bench.customers[0])], figures[str(bench.customers[-1])]
    cpu = round(most.cpu_us / least.cpu_us, 2)
    wall = round(least.per_second / most.per_second, 2)
    shown = "  ".join(
        f"{int(size):,}: {one.cpu_us:.0f} us CPU, {1e6 / one.per_second:.0f} us wall" for size, one in figures.items()
    )
    goal = (
        f"Goal: {bench.customers[-1]:,} customers within {GOAL:g} x of {bench.customers[0]:,}; "
        f"found {cpu:g} x of CPU, {wall:g} x of time."
    )
    return Row(
        "profile, cold customers",
        {
            "cpu_ratio": cpu,
            "wall_ratio": wall,
            "customers": {size: {"cpu_us": one.cpu_us, **asdict(one)} for size, one in figures.items()},
        },
        (f"Profile on cold customers, {EVENTS:,} events: {shown}.", goal),
    )


def _measure(bench: Bench, found: Sequence[Basket], somebody: Sequence[Person], size: int) -> Measured:
    asked = [replace(basket, household=number * _STRIDE % size) for number, basket in enumerate(found)]
    publish(bench.addresses, interactions(asked, _by_account, bench.lanes), bench.lanes)
    before, cents_before = population.sums(somebody, size)
    orders = hop.Orders(len(asked), sum(basket.cents for basket in asked), before, cents_before)

    def fill(url: str) -> None:
        population.fill(url, somebody, size)
        _restart(bench)

    return hop.measure(
        bench.addresses,
        bench.lanes,
        f"cold_{size}",
        bench.folder,
        orders,
        fill=fill,
        settings={"CRM_PROFILE_CACHED_CUSTOMERS": "0"},
    )


def _by_account(_number: int, basket: Basket) -> dict[str, str]:
    return {"userId": population.customer(basket.household)}


def _restart(bench: Bench) -> StackAddresses:
    bench.servers.postgres.stop()
    return bench.servers.up()
