"""The lock of Kafka's jars."""

import pytest

from shared.local.errors import BadLockError
from shared.local.lock import KAFKA, LOG_BINDING, LockedArtifact, kafka_lock, parse_lock

SHA = "ab" * 32


def test_a_line_is_a_coordinate_and_a_sha256() -> None:
    assert parse_lock(f"org.a:b-c_2.13:1.0 sha256:{SHA}\n") == (LockedArtifact("org.a", "b-c_2.13", "1.0", SHA),)


def test_comments_and_empty_lines_are_no_artifacts() -> None:
    assert parse_lock("# a comment\n\n") == ()


@pytest.mark.parametrize(
    "line",
    [
        f"org.a:b sha256:{SHA}",
        f"org.a:b:1.0 md5:{SHA}",
        f"org.a:b:1.0 sha256:{SHA[:-1]}",
        "org.a:b:1.0",
        f"../a:b:1.0/.. sha256:{SHA}",
    ],
)
def test_a_line_that_locks_nothing_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(BadLockError, match=r"^kafka\.lock:2: expected"):
        parse_lock(f"# first\n{line}\n")


def test_what_is_written_reads_back() -> None:
    locked = LockedArtifact("org.a", "b", "1.0", SHA)
    assert parse_lock(locked.line) == (locked,)


def test_the_lock_names_the_broker_its_clients_and_what_it_logs_by() -> None:
    coordinates = {each.coordinate for each in kafka_lock()}
    version = KAFKA.rsplit(":", 1)[1]
    assert {KAFKA, LOG_BINDING, f"org.apache.kafka:kafka-clients:{version}"} <= coordinates


def test_no_two_jars_share_a_file() -> None:
    lock = kafka_lock()
    assert len({each.filename for each in lock}) == len(lock)
