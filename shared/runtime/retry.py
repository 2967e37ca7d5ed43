"""What to do about an error, decided by its kind alone: try again, isolate the event, or stop."""

import random
from dataclasses import dataclass
from enum import Enum

import psycopg
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.runtime.errors import FatalError, PoisonError, TransientError


class Verdict(Enum):
    """The three answers to an error."""

    RETRY = "retry"
    """Roll back, read again from the committed position, try again after a pause."""
    ISOLATE = "isolate"
    """Halve the batch until the event that causes it stands alone, and set that one aside."""
    STOP = "stop"
    """End the process with the error's words."""


_RETRY = (TransientError, psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError, KafkaError, OSError)
_STOP = (MessageSizeTooLargeError, FatalError, psycopg.ProgrammingError, psycopg.NotSupportedError, MemoryError)


def verdict(error: BaseException) -> Verdict:
    """Tell what to do about an error raised while a batch was processed.

    A missing table or privilege is a wrong deploy and stops; a lost connection, a deadlock or a time-out is retried;
    everything else (a value that a column refuses, a bug on one event's path) is isolated.
    """
    if isinstance(error, PoisonError):
        return Verdict.ISOLATE
    if isinstance(error, _STOP):
        return Verdict.STOP
    if isinstance(error, _RETRY):
        return Verdict.RETRY
    return Verdict.ISOLATE


@dataclass(slots=True)
class Backoff:
    """Growing pauses with full jitter (0.05 s doubling up to 5 s), so that replicas do not retry in step."""

    first: float = 0.05
    longest: float = 5.0
    failures: int = 0

    def pause(self) -> float:
        """Return the next pause in seconds."""
        ceiling = min(self.longest, self.first * 2.0**self.failures)
        self.failures = min(self.failures + 1, 16)
        return ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret

    def succeeded(self) -> None:
        """Start over with short pauses."""
        self.failures = 0
