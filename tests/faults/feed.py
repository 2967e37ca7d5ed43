"""The feed: a paced sender over all lanes that goes on while things break, and keeps what Kafka acknowledged."""

import random
import threading
from collections import deque
from collections.abc import Iterator

from confluent_kafka import KafkaError, Message, Producer

from tests.faults.awaiting import until
from tests.faults.sent import Ledger, Record
from tests.faults.subjects import Shape, Subject

TICK_SECONDS = 0.02
FLUSH_SECONDS = 90.0


class Feed:
    """Sends until it is stopped. Idempotent with acks=all: what the ledger holds is on the topic once a send."""

    def __init__(self, bootstrap: str, subject: Subject, ledger: Ledger, shape: Shape, first: int) -> None:
        self._subject = subject
        self._ledger = ledger
        self._shape = shape
        self._random = random.Random(first)  # noqa: S311 - the same feed each time
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": int(FLUSH_SECONDS * 1000),
                "log_level": 0,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.next = first
        self.sent = 0

    def start(self) -> "Feed":
        """Begin to send in the background."""
        self._thread.start()
        return self

    def send(self, count: int) -> None:
        """Send so many records at once and wait for their acknowledgement; for a feed that was not started."""
        records = self._records()
        for _ in range(count):
            self._produce(next(records))
        self._flush()

    def wait_more(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more were sent than now."""
        goal = self.sent + count
        until(lambda: self.sent >= goal, f"{count} more records are sent", seconds)

    def stop(self) -> None:
        """Stop and wait until all is acknowledged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(FLUSH_SECONDS)
        self._flush()

    def abandon(self) -> None:
        """Stop without waiting for what is not acknowledged."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._producer.purge()

    def _run(self) -> None:
        records = self._records()
        owed = 0.0
        while not self._stop.wait(TICK_SECONDS):
            owed += self._shape.rate * TICK_SECONDS
            while owed >= 1:
                self._produce(next(records))
                owed -= 1
            self._producer.poll(0)

    def _records(self) -> Iterator[Record]:
        """Give records without end: new ones, now and then an earlier one again, each `shuffled` places off at most."""
        recent: deque[Record] = deque(maxlen=500)
        window: list[Record] = []
        while True:
            if recent and self._random.random() < self._shape.repeats:
                record = self._random.choice(recent)
            elif self._random.random() < self._shape.poison:
                record = self._subject.poison(self.next)
                self.next += 1
            else:
                record = self._subject.record(self.next)
                self.next += 1
                recent.append(record)
            window.append(record)
            if len(window) > self._shape.shuffled:
                yield window.pop(self._random.randrange(len(window)))

    def _produce(self, record: Record) -> None:
        def acknowledged(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._ledger.accept(record)
            else:
                self._ledger.refuse(error.str())

        self._producer.produce(
            record.topic,
            record.value,
            record.key,
            record.lane,
            on_delivery=acknowledged,
            headers=list(record.headers),
        )
        self.sent += 1

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_SECONDS)
        if left or self._ledger.refused:
            raise AssertionError(f"the sender lost {left} records and was refused {self._ledger.refused[:3]}")
