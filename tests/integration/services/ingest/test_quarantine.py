"""The quarantine on a real PostgreSQL: everything that was refused, once, with its own bytes."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from psycopg import AsyncConnection

from shared.demo.malformed import MALFORMED
from tests.integration.services.ingest.feeding import feed
from tests.property.services.ingest.strategies import headers, record_values
from tests.unit.services.ingest.records import APPENDED, order, raw, track

_ALL = """
    SELECT topic, lane, record_offset, event_index, source, message_id, stage, reason, path, expected, found,
        original, around, key, headers, received_at, quarantined_at, appended_at
    FROM quarantine ORDER BY id
"""


async def rows(connection: AsyncConnection) -> list[tuple[Any, ...]]:
    return await (await connection.execute(_ALL)).fetchall()


async def test_a_refused_event_is_kept_whole(connection: AsyncConnection) -> None:
    sent = [("source", b"web-shop"), ("odd", b"\xff\x00")]
    batch = raw({"batch": [track(), order(total="a lot")], "context": {"ip": "10.0.0.1"}}, sent, offset=41)
    await feed(connection, [batch], APPENDED + timedelta(seconds=1))
    ((*told, original, around, key, kept, received, quarantined, appended),) = await rows(connection)
    assert told == [
        *("crm.raw-events.v1", 1, 41, 1, "web-shop", "m-1"),
        *("payload", "not_a_number", "/properties/total", "a number", "string"),
    ]
    assert msgspec.json.decode(original) == order(total="a lot")
    assert msgspec.json.decode(around) == {"sentAt": None, "context": {"ip": "10.0.0.1"}, "integrations": {}}
    assert (key, [tuple(pair) for pair in msgspec.msgpack.decode(kept)]) == (None, sent)
    assert (received, quarantined, appended) == (APPENDED, APPENDED + timedelta(seconds=1), APPENDED)


async def test_the_malformed_records_of_the_demo_are_seven_entries(connection: AsyncConnection) -> None:
    records = [raw(one.value, one.headers, offset=offset) for offset, one in enumerate(MALFORMED)]
    await feed(connection, [*records, raw(track(), offset=99)])
    found = [(row[6], row[7], row[8], row[11]) for row in await rows(connection)]
    assert found == [(one.stage, one.reason, one.path, one.value) for one in MALFORMED]


async def test_a_batch_that_is_done_again_adds_nothing(connection: AsyncConnection) -> None:
    records = [raw(b"?", offset=offset) for offset in range(3)]
    first = await feed(connection, records)
    before = await rows(connection)
    again = await feed(connection, records, APPENDED + timedelta(minutes=1))
    assert len(before) == 3
    assert await rows(connection) == before
    assert again.direct == first.direct


async def test_an_old_offset_of_a_topic_that_was_created_again_is_another_event(connection: AsyncConnection) -> None:
    await feed(connection, [raw(b"?")])
    await feed(connection, [raw(b"!", at=APPENDED + timedelta(days=1))])
    assert [row[11] for row in await rows(connection)] == [b"?", b"!"]


async def test_whatever_is_sent_can_be_stored(connection: AsyncConnection) -> None:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=record_values, sent=headers)
    def collect(value: bytes | None, sent: Any) -> None:
        records.append(raw(value, sent, offset=len(records)))

    records: list[Any] = []
    collect()
    decision = await feed(connection, records)
    assert len(records) >= 60
    assert [(row[2], row[3], row[11]) for row in await rows(connection)] == [
        (entry.record.offset, entry.index, entry.refused.original) for entry in decision.rows.entries
    ]
    assert decision.rows.entries
