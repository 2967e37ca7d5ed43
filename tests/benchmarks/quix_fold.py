"""The bare fold by QuixStreams: a batching sink of its own sums what a checkpoint brings and upserts it.

It runs in an environment of its own (`requirements/quix.txt`): QuixStreams asks for an older confluent-kafka than ours.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import psycopg
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from shared.contracts.topics import RAW_EVENTS
from tests.benchmarks.bare_fold import TABLE, upsert
from tests.benchmarks.measured import Stopwatch

BATCH = 5000


class Households(BatchingSink):  # type: ignore[misc]  # it lies in another environment, so its type is not known here
    """Writes each partition of a checkpoint in a transaction of its own, as QuixStreams' own sinks do."""

    def __init__(
        self, connection: psycopg.Connection, table: str, expected: int, folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        super().__init__()
        self._connection, self._table, self._expected, self._folder = connection, table, expected, folder
        self._watch, self._done = Stopwatch(), 0

    def add(self, *arguments: Any, **named: Any) -> None:
        self._watch.begin()
        super().add(*arguments, **named)
        self.add = super().add  # type: ignore[method-assign]  # from the second record on nothing of ours is between

    def write(self, batch: SinkBatch) -> None:
        upsert(self._connection, self._table, fold(item.value for item in batch))
        self._connection.commit()
        self._done += batch.size
        if self._done >= self._expected:
            self._watch.end(self._done)
            self._folder.cleanup()
            # Measured and printed: the rest is the way out.
            os._exit(0)


def fold(events: Iterable[dict[str, Any]]) -> dict[str, tuple[int, int, str]]:
    """Sum a batch that is decoded already: orders, cents and last time by household."""
    sums: dict[str, tuple[int, int, str]] = {}
    for event in events:
        household, at = event["userId"], event["timestamp"]
        orders, cents, last = sums.get(household, (0, 0, ""))
        sums[household] = (orders + 1, cents + round(event["properties"]["total"] * 100), max(last, at))
    return sums


def main(bootstrap: str, url: str, table: str, expected: int, lanes: int) -> None:
    folder = tempfile.TemporaryDirectory(prefix="bench-quix-")
    with psycopg.connect(url) as connection:
        connection.execute(TABLE.format(table).encode())
        connection.commit()
        app = Application(
            bootstrap,
            consumer_group=f"bench-quix-{table}",
            auto_offset_reset="earliest",
            # So that a partition's share of a checkpoint is a batch like the others'.
            commit_every=BATCH * lanes,
            state_dir=folder.name,
            auto_create_topics=False,
            loglevel="ERROR",
        )
        app.dataframe(app.topic(RAW_EVENTS.name, value_deserializer="json")).sink(
            Households(connection, table, expected, folder)
        )
        app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
