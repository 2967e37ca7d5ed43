"""Equality as a check: some customers or all are compared with their timeline, and nothing is written."""

import secrets
from collections.abc import Callable

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.postgres_recount import Rulings
from services.profile.domain.comparing import Difference
from services.profile.rebuilding.ledger import compare_accounts
from services.profile.rebuilding.rebuild import NOBODY, look
from services.profile.rebuilding.site import Site

STRETCH = 20
"""Customers that are compared in one transaction when only some are: neighbours by id, so chosen by nobody."""


class Checked(msgspec.Struct, frozen=True):
    """What a check came to; `pending` are customers that the clock has yet to resolve, or too large."""

    customers: int
    different: int
    pending: int
    events: int
    accounts: int
    accounts_different: int
    differences: tuple[Difference, ...]


Watch = Callable[[int], None]
"""Told how many customers were compared."""


async def check_all(site: Site, watch: Watch) -> Checked:
    """Compare every customer and every account."""
    found = Checked(0, 0, 0, 0, 0, 0, ())
    rulings, last = Rulings(), NOBODY
    async with site.pool.connection() as connection:
        while (looked := await look(connection, site, rulings, last, site.at_once, site.bounds)) is not None:
            last = looked.last
            found = _and(found, looked.compared.customers, looked.compared.pending, looked.events)
            found = _different(found, looked.compared.differences)
            watch(found.customers)
        accounts = await compare_accounts(connection)
    return msgspec.structs.replace(found, accounts=accounts.compared, accounts_different=len(accounts.wanted))


async def check_some(site: Site, most: int, watch: Watch) -> Checked:
    """Compare about so many customers, from places by chance; fewer if there are not so many."""
    found = Checked(0, 0, 0, 0, 0, 0, ())
    rulings = Rulings()
    async with site.pool.connection() as connection:
        for _ in range(-(-most // STRETCH)):
            after = secrets.token_bytes(16)
            stretch = min(STRETCH, most)
            looked = await look(connection, site, rulings, after, stretch, site.bounds)
            if looked is None:  # behind the last one
                looked = await look(connection, site, rulings, NOBODY, stretch, site.bounds)
            if looked is None or found.customers >= most:
                break
            found = _and(found, looked.compared.customers, looked.compared.pending, looked.events)
            found = _different(found, looked.compared.differences)
            watch(found.customers)
    return found


async def check_next(
    connection: AsyncConnection, site: Site, rulings: Rulings, after: bytes, most: int
) -> tuple[bytes, Checked]:
    """Compare the next customers by id, beginning anew behind the last; also return where to go on."""
    found = Checked(0, 0, 0, 0, 0, 0, ())
    last = after
    while found.customers + found.pending < most:
        looked = await look(connection, site, rulings, last, min(STRETCH, most), site.bounds)
        if looked is None:
            return NOBODY, found
        last = looked.last
        found = _and(found, looked.compared.customers, looked.compared.pending, looked.events)
        found = _different(found, looked.compared.differences)
    return last, found


def _and(found: Checked, customers: int, pending: int, events: int) -> Checked:
    return msgspec.structs.replace(
        found, customers=found.customers + customers, pending=found.pending + pending, events=found.events + events
    )


def _different(found: Checked, differences: tuple[Difference, ...]) -> Checked:
    known = dict((*found.differences, *differences))
    listed = tuple(Difference(name, path) for name, path in sorted(known.items()))
    return msgspec.structs.replace(found, different=len(listed), differences=listed)
