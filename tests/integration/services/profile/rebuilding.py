"""A site to rebuild on, what it made public, and rows that somebody changed by hand."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.state import dump, load
from services.profile.rebuilding.rebuild import Outcome, Rebuild
from services.profile.rebuilding.site import Rules, Site
from shared.runtime.clock import SystemClock
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.handler import Publication
from shared.runtime.lanes import Claims
from shared.runtime.streams import Committed
from shared.runtime.transaction import Transactions
from tests.integration.services.profile.conftest import OPTIONS

LANES = 4
COUNTED = "xmin::text, id::text, version"


@dataclass
class Watched:
    """A site, and what was published from it."""

    site: Site
    published: list[Publication] = field(default_factory=list)

    def replace_store(self, store: PostgresCustomers) -> None:
        """Work with another store from now on."""
        self.site = replace(self.site, store=store)

    async def rebuild(self) -> Outcome:
        """Rebuild to the end."""
        return await Rebuild(self.site, lambda *_: None).run()


@asynccontextmanager
async def site_on(
    database_url: str, rules: IdentityRules, at_once: int = 500, stages: Stages = USUAL
) -> AsyncIterator[Watched]:
    """Open a site on a database."""
    async with AsyncConnectionPool(
        database_url, kwargs={"options": OPTIONS}, min_size=1, max_size=3, open=False
    ) as pool:
        transactions = Transactions(pool, Claims("crm-profile"), NullFailpoints())
        store = PostgresCustomers(NullFailpoints())
        watched = Watched(Site(pool, transactions, store, Rules(rules, stages), LANES, SystemClock(), at_once))

        def note(committed: Sequence[Committed]) -> None:
            for run in committed:
                watched.published += [Publication(run.topic, run.lane, b"", message) for message in run.messages]

        transactions.hand_over = note
        yield watched


async def rows(connection: AsyncConnection) -> dict[str, list[tuple[object, ...]]]:
    """Read every row that a rebuild may write, with the transaction that wrote it."""
    found = {}
    for name in ("identities", "customers", "regions", "links", "accounts", "account_identities"):
        cursor = await connection.execute(f"SELECT xmin::text, t.* FROM {name} t ORDER BY 2, 3")  # noqa: S608 - ours
        found[name] = await cursor.fetchall()
    await connection.commit()
    return found


async def spoil(connection: AsyncConnection, chance: random.Random, turn: int) -> str | None:
    """Change a row as nobody should, each way in its turn; tell how, or nothing if there is none of that kind."""
    ways = (wrong_trait, wrong_join, lost_link, lost_customer, lost_seat)
    how = ways[turn % len(ways)]
    done = await how(connection, chance)
    await connection.commit()
    return how.__name__ if done else None


async def wrong_trait(connection: AsyncConnection, chance: random.Random) -> bool:
    """Give somebody another first time in its own document."""
    return await _change(connection, chance, "identities", "id", "doc")


async def wrong_join(connection: AsyncConnection, chance: random.Random) -> bool:
    """Give a customer of several what none of them has."""
    return await _change(connection, chance, "customers", "root", "joined")


async def lost_link(connection: AsyncConnection, chance: random.Random) -> bool:
    """Lose what two have in common."""
    cursor = await connection.execute("SELECT a, b FROM links WHERE first_at IS NOT NULL ORDER BY a, b")
    pairs = await cursor.fetchall()
    if pairs:
        await connection.execute("DELETE FROM links WHERE a = %s AND b = %s", chance.choice(pairs))
    return bool(pairs)


async def lost_customer(connection: AsyncConnection, chance: random.Random) -> bool:
    """Lose a customer's row."""
    cursor = await connection.execute("SELECT root FROM customers ORDER BY root")
    roots = await cursor.fetchall()
    if roots:
        await connection.execute("DELETE FROM customers WHERE root = %s", chance.choice(roots))
    return bool(roots)


async def lost_seat(connection: AsyncConnection, chance: random.Random) -> bool:
    """Put somebody out of a customer."""
    cursor = await connection.execute("SELECT id FROM identities WHERE root <> id ORDER BY id")
    ids = await cursor.fetchall()
    if ids:
        await connection.execute("UPDATE identities SET root = NULL WHERE id = %s", chance.choice(ids))
    return bool(ids)


async def _change(connection: AsyncConnection, chance: random.Random, name: str, key: str, column: str) -> bool:
    cursor = await connection.execute(f"SELECT {key}, {column} FROM {name} WHERE {column} IS NOT NULL ORDER BY 1")  # noqa: S608 - ours
    found = await cursor.fetchall()
    if not found:
        return False
    who, document = chance.choice(found)
    state = load(document)
    state.order_count += 1
    state.traits = {}
    state.tallies = {}
    await connection.execute(f"UPDATE {name} SET {column} = %s WHERE {key} = %s", (dump(state), who))  # noqa: S608 - ours
    return True
