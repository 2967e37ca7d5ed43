"""After a crash, the same messages come out of the tables; the auditor is told what they hold."""

from collections.abc import Sequence

import pytest
from psycopg import AsyncConnection

from services.profile.adapters.postgres_outlet import PostgresOutlet, RowMissingError
from shared.contracts.envelope import Headers
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES
from shared.runtime.handler import Current, Message, Publication
from tests.integration.services.profile.test_postgres_customers import commit, feed, new_handler


def of(topic: str, publications: Sequence[Publication]) -> list[Publication]:
    return [publication for publication in publications if publication.topic == topic]


def without_arrival(headers: Headers) -> Headers:
    """Leave out what a message has of when it was made."""
    passing = {"crm_accepted_at"}
    if ("ce_type", b"customer.redirected.v1") in headers:
        passing.add("ce_time")
    return [header for header in headers if header[0] not in passing]


async def test_activities_come_out_byte_for_byte_in_the_order_asked_for(connection: AsyncConnection) -> None:
    handler, events = new_handler(), feed(1, 120)
    _, published = await commit(handler, connection, events[:60])
    await commit(handler, connection, events[60:])
    activities = of(ACTIVITIES.name, published)
    keys = [publication.key for publication in activities]
    rendered = await PostgresOutlet().render(connection, ACTIVITIES.name, keys)
    assert rendered == [publication.message for publication in activities]
    assert await PostgresOutlet().render(connection, ACTIVITIES.name, keys[::-1]) == rendered[::-1]


async def test_customers_come_out_as_they_are_now(connection: AsyncConnection) -> None:
    handler, events = new_handler(), feed(2, 120)
    _, first = await commit(handler, connection, events[:60])
    _, second = await commit(handler, connection, events[60:])
    last = {p.key: p.message for p in (*of(CUSTOMERS.name, first), *of(CUSTOMERS.name, second))}
    keys = [publication.key for publication in of(CUSTOMERS.name, first)] * 2
    rendered = await PostgresOutlet().render(connection, CUSTOMERS.name, keys)
    expected = [Message(last[key].key, last[key].value, without_arrival(last[key].headers)) for key in keys]
    assert [Message(one.key, one.value, without_arrival(one.headers)) for one in rendered] == expected
    assert any(("ce_type", b"customer.redirected.v1") in one.headers for one in rendered)


async def test_the_auditor_is_told_versions_by_message_key(connection: AsyncConnection) -> None:
    _, published = await commit(new_handler(), connection, feed(3, 50))
    customers = of(CUSTOMERS.name, published)
    asked = [p.message.key for p in customers] + [b"", b"f" * 32, b"F" * 32, b"\xff" * 32, b"not an id"]
    found = await PostgresOutlet().current(connection, CUSTOMERS.name, asked)
    versions = {p.message.key: int(dict(p.message.headers)["ce_version"]) for p in customers}
    assert found == {p.message.key: Current(p.key, versions[p.message.key]) for p in customers}


async def test_a_row_that_is_gone_stops_with_its_name(connection: AsyncConnection) -> None:
    _, published = await commit(new_handler(), connection, feed(4, 5))
    for topic in ACTIVITIES.name, CUSTOMERS.name:
        keys = [publication.key for publication in of(topic, published)]
        await connection.execute("DELETE FROM timeline")
        await connection.execute("DELETE FROM identities")
        with pytest.raises(RowMissingError, match=keys[0].hex()):
            await PostgresOutlet().render(connection, topic, keys)


async def test_a_topic_of_somebody_else_is_refused(connection: AsyncConnection) -> None:
    with pytest.raises(LookupError):
        await PostgresOutlet().render(connection, SEGMENT_CHANGES.name, [])
    with pytest.raises(LookupError):
        await PostgresOutlet().current(connection, ACTIVITIES.name, [])
