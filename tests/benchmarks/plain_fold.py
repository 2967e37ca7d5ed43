"""The bare fold by plain aiokafka and psycopg: 5,000 records a transaction, offsets in the same one."""

import asyncio
import sys

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.topics import RAW_EVENTS
from tests.benchmarks.bare_fold import TABLE, fold, upsert
from tests.benchmarks.measured import Stopwatch

BATCH = 5000
ADVANCE = "INSERT INTO offsets VALUES (%s, %s) ON CONFLICT (lane) DO UPDATE SET next = excluded.next"


async def run(bootstrap: str, url: str, table: str, expected: int, lanes: int) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    await consumer.start()
    consumer.assign([TopicPartition(RAW_EVENTS.name, lane) for lane in range(lanes)])
    with psycopg.connect(url) as connection:
        connection.execute(TABLE.format(table).encode())
        connection.execute("CREATE TABLE offsets (lane int PRIMARY KEY, next bigint)")
        connection.commit()
        done, watch = 0, Stopwatch()
        while done < expected:
            polled = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            if not polled:
                continue
            watch.begin()
            upsert(connection, table, fold(record.value for records in polled.values() for record in records))
            for tp, records in polled.items():
                connection.execute(ADVANCE, (tp.partition, records[-1].offset + 1))
            connection.commit()
            done += sum(map(len, polled.values()))
        watch.end(done)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
