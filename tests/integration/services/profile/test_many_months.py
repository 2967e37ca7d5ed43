"""Who dates events all over the calendar makes many partitions, and no transaction makes more than it can hold."""

from datetime import date

import pytest
from psycopg import AsyncConnection

from services.profile.adapters.postgres_customers import MOST_NEW_MONTHS, PostgresCustomers, TooManyMonthsError
from shared.runtime.failpoints import NullFailpoints
from shared.runtime.retry import Verdict, verdict

KEY = bytes(16)
LOCKS_OF_A_DEFAULT_SERVER = 6_400


def months(first: int, count: int) -> dict[date, list[bytes]]:
    return {date(1990 + n // 12, n % 12 + 1, 1): [KEY] for n in range(first, first + count)}


async def test_a_batch_over_too_many_new_months_is_halved_until_they_can_be_made(connection: AsyncConnection) -> None:
    store = PostgresCustomers(NullFailpoints())
    with pytest.raises(TooManyMonthsError, match="101 new months") as refused:
        await store.hashes(connection, months(0, MOST_NEW_MONTHS + 1))
    assert verdict(refused.value) is Verdict.ISOLATE
    await store.hashes(connection, months(0, MOST_NEW_MONTHS))
    cursor = await connection.execute("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()")
    (locks,) = await cursor.fetchone() or (LOCKS_OF_A_DEFAULT_SERVER,)
    assert locks < LOCKS_OF_A_DEFAULT_SERVER / 4


async def test_months_that_are_there_already_do_not_count(connection: AsyncConnection) -> None:
    store = PostgresCustomers(NullFailpoints())
    for first in (0, 60):
        await store.hashes(connection, months(first, 60))
        await connection.commit()
    store.forget()
    assert await store.hashes(connection, months(0, 130)) == {}
