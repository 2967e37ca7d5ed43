"""A sender in a process of its own, to be killed or stopped: takes all lanes, sends until nothing waits, then ends.

Arguments: the database's URL and the mail server's port. `CRM_FAILPOINTS` says what happens to it; its third
transaction after the claim of lanes is that of the first answers: orphans, what is being sent, answers.
"""

import asyncio
import sys

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from shared.runtime.errors import FencedError
from shared.runtime.failpoints import failpoints_for
from tests.integration.services.engagement.world import World


async def main(database_url: str, smtp_port: int) -> None:
    pool: AsyncConnectionPool[AsyncConnection] = AsyncConnectionPool(
        database_url, min_size=1, open=False, kwargs={"options": "-c search_path=engagement"}
    )
    async with pool:
        world = World(pool, smtp_port)
        owner = await world.owner(failpoints=failpoints_for("engagement"))
        try:
            while await owner.sender.round():
                pass
        except FencedError:
            sys.exit(3)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
