"""Fresh databases and topics on the one broker and database that all subjects share."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg import sql

from shared.contracts.topics import Topic
from shared.runtime.topic_admin import TopicAdmin

PATIENCE_SECONDS = 30.0


@contextmanager
def database(owner_url: str, name: str) -> Iterator[str]:
    """Give an empty database, gone afterwards."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.execute("CHECKPOINT")
    try:
        yield owner_url.rpartition("/")[0] + f"/{name}"
    finally:
        with psycopg.connect(owner_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def recreate(bootstrap: str, topics: Iterable[Topic], lanes: int) -> None:
    """Delete topics and create them again, empty."""
    wanted = list(topics)
    admin = TopicAdmin(bootstrap)
    before = {name: state.id for name, state in admin.describe(topic.name for topic in wanted).items()}
    if before:
        client = AdminClient({"bootstrap.servers": bootstrap})
        for future in client.delete_topics(list(before)).values():
            future.result(PATIENCE_SECONDS)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while admin.describe(before):
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics do not go away: {sorted(before)}")
            time.sleep(0.05)
    admin.create(wanted, lanes, 1)
