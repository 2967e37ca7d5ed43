"""Waiting until a server answers, and giving up early when its process has died."""

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from shared.local.errors import ServerStartError
from shared.local.processes import ProcessIdentity, tail

_POLL = 0.1


def wait_ready(
    server: str, identity: ProcessIdentity, answers: Callable[[], bool], *, log: Path, seconds: float
) -> None:
    """Return once the server answers. Raises ServerStartError with the log's tail when it died or took too long."""
    if not poll(answers, seconds, identity.alive):
        reason = f"it does not answer after {seconds:.0f} s" if identity.alive() else "its process ended"
        raise ServerStartError(server, reason, log, tail(log))


def poll(answers: Callable[[], bool], seconds: float, alive: Callable[[], bool]) -> bool:
    """Ask until it answers; False when it is no longer alive or the time is over."""
    deadline = time.monotonic() + seconds
    while not answers():
        if not alive() or time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def kafka_problem(bootstrap_servers: str, seconds: float = 3.0) -> str | None:
    """Ask a Kafka cluster for its brokers; None when one answers, else what is wrong."""
    client = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "socket.timeout.ms": int(seconds * 1000),
            "log_level": 0,  # librdkafka would write each refused connection to standard error
        }
    )
    try:
        brokers = client.list_topics(timeout=seconds).brokers
    except KafkaException as error:
        return str(error.args[0].str()) if error.args else str(error)
    return None if brokers else "it knows no broker"


def database_problem(url: str, seconds: float = 3.0) -> psycopg.Error | None:
    """Connect to a PostgreSQL; None when it answers, else the error."""
    try:
        with psycopg.connect(url, connect_timeout=max(2, round(seconds))):
            return None
    except psycopg.Error as error:
        return error
