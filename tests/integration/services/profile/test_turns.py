"""Working alone keeps others out on a real PostgreSQL, and working beside each other keeps nobody out."""

import pytest
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable

from services.profile.adapters.postgres_customers import PostgresCustomers
from shared.runtime.failpoints import NullFailpoints
from tests.integration.services.profile.conftest import OPTIONS


async def test_who_works_alone_waits_for_the_others_and_keeps_them_out_until_it_commits(
    connection: AsyncConnection, database_url: str
) -> None:
    store = PostgresCustomers(NullFailpoints())
    async with await AsyncConnection.connect(database_url, options=f"{OPTIONS} -c lock_timeout=100") as other:
        async with connection.transaction():
            await store.go_beside(connection)
            async with other.transaction():
                await store.go_beside(other)
            with pytest.raises(LockNotAvailable):
                await store.go_alone(other)
            await other.rollback()
        async with connection.transaction():
            await store.go_alone(connection)
            with pytest.raises(LockNotAvailable):
                await store.go_beside(other)
            await other.rollback()
        async with other.transaction():
            await store.go_alone(other)
