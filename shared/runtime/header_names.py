"""Records whose header names are no UTF-8: Kafka takes them, and aiokafka would never get past one.

Its parser raises at such a record each time that it is fetched, so one of them would stop a topic for ever. Here the
rest of what was fetched is parsed again, and what is no text in a name is written as escapes. Nothing else changes, and
records with decent names cost nothing more.
"""

from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import _DefaultRecordBatchPy

_Parsed = memory_records.MemoryRecords


class _EscapingBytes(bytearray):
    """A buffer that gives parts of itself as text whatever their bytes are."""

    def __getitem__(self, place: SupportsIndex | slice) -> Any:
        found = super().__getitem__(place)
        return found if isinstance(found, int) else _EscapingBytes(found)

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Decode, with escapes for what is no text."""
        return super().decode(encoding, errors)


class _EscapingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # the library has no types for mypy
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _EscapingBytes(self._buffer)


class _EscapingRecords(memory_records._MemoryRecordsPy):  # type: ignore[misc]  # noqa: SLF001 - there is no public parser
    def pass_over(self, offset: int) -> None:
        """Leave out the batches that end before an offset."""
        while self._next_slice is not None and _DefaultRecordBatchPy(self._next_slice).next_offset <= offset:
            self._cache_next()

    def next_batch(self) -> Any:
        data = self._next_slice
        self._cache_next()
        return None if data is None else _EscapingBatch(data)


class KeptRecords:
    """What was fetched of a partition, parsed as fast as can be, and its bytes in case that fails."""

    def __init__(self, data: bytes) -> None:
        self._parsed = _Parsed(data)
        self.data = data
        self.has_next = self._parsed.has_next
        self.next_batch = self._parsed.next_batch
        self.size_in_bytes = self._parsed.size_in_bytes


class PatientRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # the library has no types for mypy
    """The records of one partition, in order, whatever their headers are called."""

    _records: Any
    _records_iterator: Any

    def __next__(self) -> Any:
        try:
            return next(self._records_iterator)
        except StopIteration:
            self._records_iterator = None
            raise
        except UnicodeDecodeError:
            again = _EscapingRecords(self._records.data)
            # What was handed out of the batch that raised is passed over by the iterator itself.
            again.pass_over(self.next_fetch_offset)
            self._records = again
            self._records_iterator = self._unpack_records()
            return next(self)


def take_any_header_name() -> None:
    """Make aiokafka's consumers of this process read such records; again changes nothing."""
    fetcher.MemoryRecords = KeptRecords
    fetcher.PartitionRecords = PatientRecords
