"""A rebuild as a process of its own, so that it can be killed: `python -m … DATABASE_URL`."""

import asyncio
import sys

from services.profile.domain.identity_rules import IdentityRules
from tests.integration.services.profile.rebuilding import site_on


async def main(database_url: str) -> None:
    """Rebuild, one customer at a time."""
    async with site_on(database_url, IdentityRules(), at_once=1) as watched:
        await watched.rebuild()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
