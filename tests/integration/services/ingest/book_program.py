"""A process that holds a book of sources and says, each time that this changes, whether it takes a key."""

import asyncio
import json
import sys

from services.ingest.adapters.postgres_sources import PostgresSources
from services.ingest.source_book import UNKNOWN_KEY, BookKeeper, SourceBook
from shared.runtime.clock import SystemClock
from shared.runtime.database import new_pool
from shared.runtime.health import Health
from shared.runtime.settings import RuntimeSettings, settings_for


async def run(key: str) -> None:
    settings = settings_for("ingest", RuntimeSettings)
    clock = SystemClock()
    async with new_pool("ingest", settings, {}) as pool:
        book = SourceBook(PostgresSources(pool), clock)
        keeping = asyncio.create_task(BookKeeper(book, Health(("sources",)), clock).run())
        before = None
        while not keeping.done():
            taken = book.authenticate(key) is not UNKNOWN_KEY
            if book.read_at is not None and taken is not before:
                before = taken
                sys.stdout.write(json.dumps({"taken": taken, "at": clock.now().timestamp()}) + "\n")
                sys.stdout.flush()
            await asyncio.sleep(0.01)
        await keeping


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
