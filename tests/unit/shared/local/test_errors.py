"""Errors that say what to do."""

import inspect
from pathlib import Path

import pytest

from shared.local import errors
from shared.local.errors import LocalStackError

HERE = Path("here")
EXAMPLES: list[tuple[LocalStackError, str]] = [
    (errors.RegistryUnreachableError(3, HERE, "ConnectionError"), "Check the network"),
    (errors.WrongChecksumError("a:b:1", "aa", "bb"), "try again"),
    (errors.BadLockError(3, "x"), "Install the package again"),
    (errors.DiskFullError(HERE, 300 << 20, 12 << 20), "Free some space"),
    (errors.PortTakenError("kafka", 20001, "process 7 (nginx)", HERE / "state.json"), "Stop that program"),
    (errors.NoFreePortError(200), "Stop servers"),
    (errors.DatabaseTooOldError("h:5432/d", "14.9", 15), "Upgrade it"),
    (errors.ServerUnreachableError("Kafka", "h:1", "CRM_X", "refused"), "correct CRM_X"),
    (errors.WrongPasswordError("h:5432/d", "Correct CRM_DATABASE_URL."), "Correct CRM_DATABASE_URL"),
    (errors.BadDatabaseUrlError(), "Correct it"),
    (errors.UnknownStackError("k8s"), "Correct it"),
    (errors.ServerStartError("kafka", "its process ended", HERE, "the tail"), "Correct what its log names"),
    (errors.ServerStopError("kafka", 7), "restart the machine"),
    (errors.BrokenStateError(HERE), "Delete it"),
    (errors.LostPasswordError(HERE, HERE), "Put it back"),
    (errors.BusyStackError(HERE), "Wait for it"),
    (errors.NotEmbeddedError("Kafka"), "Unset CRM_KAFKA_BOOTSTRAP_SERVERS"),
    (errors.MissingExtraError("local", "no jgo"), "pip install 'rapport-crm[local]'"),
    (errors.NoUnprivilegedAccountError("nobody"), "Create it"),
    (errors.NoContainerEngineError("no socket"), "Start Docker"),
]


@pytest.mark.parametrize(("error", "remedy"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_the_message_says_what_to_do(error: LocalStackError, remedy: str) -> None:
    assert remedy in str(error)


def test_every_error_of_the_stack_has_its_example_here() -> None:
    roots = {
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, LocalStackError) and each is not LocalStackError
    }
    assert roots == {type(error) for error, _ in EXAMPLES}


def test_a_start_that_failed_shows_the_end_of_the_log() -> None:
    assert str(errors.ServerStartError("kafka", "its process ended", HERE, "line 1\nline 2")).endswith("line 1\nline 2")


def test_a_full_disk_is_told_in_megabytes() -> None:
    assert "has 12 MB free, the local stack needs 300 MB" in str(errors.DiskFullError(HERE, 300 << 20, 12 << 20))
