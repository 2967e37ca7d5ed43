"""The timeline's partitions: one a month, named after it."""

from datetime import date
from functools import lru_cache

from psycopg import sql


def partition(month: date) -> str:
    """Name the partition of a month, as the migration's function does."""
    return f"timeline_{month:%Y_%m}"


@lru_cache(maxsize=4096)
def statement(text: str, month: date) -> bytes:
    """Put the partition's name where `text` has braces."""
    return sql.SQL(text).format(sql.Identifier(partition(month))).as_bytes(None)
