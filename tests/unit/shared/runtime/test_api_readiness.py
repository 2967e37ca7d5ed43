"""An API whose database is away says so, soon."""

from psycopg_pool import ConnectionPool

from shared.runtime.api_readiness import database_answers
from shared.runtime.health import Failed


def test_a_database_that_is_away_is_told_within_the_time_that_is_given() -> None:
    with ConnectionPool("postgresql://nobody:x@127.0.0.1:1/none", min_size=0, max_size=1, open=True) as pool:
        assert database_answers(pool, 0.05) == Failed("database", "PostgreSQL does not answer")
