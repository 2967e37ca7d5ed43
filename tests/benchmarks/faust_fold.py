"""The bare fold by a Faust agent with `take(5000)`, as Faust's manual shows it."""

import os
import sys
import tempfile

import faust
import psycopg
from faust.types import StreamT

from shared.contracts.topics import RAW_EVENTS
from tests.benchmarks.bare_fold import TABLE, fold, upsert
from tests.benchmarks.measured import Stopwatch

BATCH = 5000


def main(bootstrap: str, url: str, table: str, expected: int) -> None:
    # Faust makes one even for tables in memory; left to itself, it does so in the folder we stand in.
    folder = tempfile.TemporaryDirectory(prefix="bench-faust-")
    app = faust.App(
        f"bench-{table}",
        datadir=folder.name,
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        store="memory://",
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        stream_wait_empty=False,
        broker_max_poll_records=BATCH,
    )
    topic = app.topic(RAW_EVENTS.name, value_serializer="raw")
    connection = psycopg.connect(url)
    connection.execute(TABLE.format(table).encode())
    connection.commit()
    watch = Stopwatch()

    @app.agent(topic)
    async def folding(stream: StreamT[bytes]) -> None:
        done = 0
        async for values in stream.take(BATCH, within=0.5):
            watch.begin()
            upsert(connection, table, fold(values))
            connection.commit()
            done += len(values)
            if done >= expected:
                watch.end(done)
                folder.cleanup()
                # Measured and printed: Faust's own stop takes seconds and says nothing more.
                os._exit(0)

    worker = faust.Worker(app, loglevel="error", quiet=True, override_logging=False)
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
