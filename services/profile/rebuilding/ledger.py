"""Accounts counted anew: everything said of them, in one reading of the timeline, against what their rows hold."""

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.profile.accounting import AccountSaid, said_of_accounts
from services.profile.adapters import postgres_accounts, postgres_recount
from services.profile.domain.account import join
from shared.contracts.catalogue import GROUP
from shared.runtime.errors import StaleStateError

MOST_REDOS = 20


class AccountsCompared(msgspec.Struct, frozen=True):
    """How many accounts were compared, and those that are not what was said of them, as they are to be.

    `before` are the versions at which those that have a row were read.
    """

    compared: int
    wanted: dict[str, AccountSaid | None]
    before: dict[str, int]


async def compare_accounts(connection: AsyncConnection) -> AccountsCompared:
    """Compare all accounts as of one moment."""
    said: dict[str, AccountSaid] = {}
    async with connection.transaction():
        await postgres_recount.see_one_moment(connection)
        async for events in postgres_recount.events_named(connection, GROUP):
            for account_id, one in said_of_accounts(events).items():
                known = said.get(account_id)
                said[account_id] = one if known is None else _both(known, one)
        held = await postgres_accounts.read_all(connection)
    names = said.keys() | held.keys()
    wrong = [name for name in sorted(names) if name not in held or held[name][1] != said.get(name)]
    return AccountsCompared(
        len(names), {name: said.get(name) for name in wrong}, {name: held[name][0] for name in wrong if name in held}
    )


async def rebuild_accounts(pool: AsyncConnectionPool[AsyncConnection]) -> AccountsCompared:
    """Put accounts right that are not what was said of them; returns what was found at first.

    Raises:
        StaleStateError: one of them was written each time between reading and writing.
    """
    first: AccountsCompared | None = None
    for attempt in range(MOST_REDOS):
        async with pool.connection() as connection:
            found = await compare_accounts(connection)
        first = first or found
        if not found.wanted:
            break
        try:
            async with pool.connection() as connection:
                await postgres_accounts.replace_accounts(connection, found.wanted, found.before)
        except StaleStateError:
            if attempt == MOST_REDOS - 1:
                raise
        else:
            break
    return first or AccountsCompared(0, {}, {})


def _both(one: AccountSaid, other: AccountSaid) -> AccountSaid:
    return AccountSaid(join(one.state, other.state), one.identities | other.identities)
