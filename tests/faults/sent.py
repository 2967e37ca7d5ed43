"""What the sender knows it sent: the list that everything found later is joined with."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Record:
    """One record for an input; `id` is what it is known by afterwards, `poison` says that nobody can read it."""

    topic: str
    lane: int
    key: bytes
    value: bytes
    id: str
    who: str
    headers: tuple[tuple[str, bytes], ...] = ()
    poison: bool = False


@dataclass(slots=True)
class Ledger:
    """Every record that Kafka acknowledged, and why others were not; filled by the sender's thread."""

    records: list[Record] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, record: Record) -> None:
        """Note an acknowledged record."""
        with self.lock:
            self.records.append(record)

    def refuse(self, why: str) -> None:
        """Note a record whose fate we do not know."""
        with self.lock:
            self.refused.append(why)

    def copy(self) -> list[Record]:
        """Return what was acknowledged until now."""
        with self.lock:
            return list(self.records)

    def by_place(self) -> Counter[tuple[str, int]]:
        """Count acknowledged records by topic and lane."""
        return Counter((record.topic, record.lane) for record in self.copy())
