"""Where a row looks for what came of it: the broker, and each service's schema in the row's own database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class World:
    """The addresses of a row's broker and database."""

    kafka: str
    database_url: str

    @contextmanager
    def connect(self, service: str) -> Iterator[Connection]:
        """Open a connection to one service's schema."""
        address = make_conninfo(self.database_url, options=f"-c search_path={service}")
        with psycopg.connect(address, autocommit=True) as connection:
            yield connection
