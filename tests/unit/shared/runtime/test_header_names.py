"""A header's name may be any bytes: what is no text in it is escaped, and every record is read."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchPy

from shared.runtime.header_names import KeptRecords, PatientRecords

READ_COMMITTED = 1


def batch(names: list[bytes], first: int, compression: int) -> bytes:
    """Build a batch with one record for each header name, offsets from `first`."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for place, name in enumerate(names):
        builder.append(place, 0, b"k", b"v%d" % (first + place), [("N" * len(name), b"x"), ("after", None)])
    data = bytes(builder.build())
    for name in names:
        data = data.replace(b"N" * len(name), name, 1)
    header, records = data[: _DefaultRecordBatchPy.HEADER_STRUCT.size], data[_DefaultRecordBatchPy.HEADER_STRUCT.size :]
    if compression:
        from aiokafka.codec import gzip_encode  # noqa: PLC0415 - only here

        records = gzip_encode(records)
        header = header[:21] + compression.to_bytes(2) + header[23:]
    length = len(header) - 12 + len(records)
    return first.to_bytes(8) + length.to_bytes(4) + header[12:] + records


def read(data: bytes, start: int = 0) -> list[tuple[int, bytes, list[tuple[str, Any]]]]:
    place = TopicPartition("t", 0)
    records = PatientRecords(place, KeptRecords(data), None, start, None, None, False, READ_COMMITTED)  # noqa: FBT003 - aiokafka's own order
    return [(record.offset, record.value, list(record.headers)) for record in records]


@pytest.mark.parametrize("compression", [0, 1])
def test_a_name_that_is_no_text_is_escaped_and_no_record_is_lost_or_repeated(compression: int) -> None:
    data = batch([b"one", b"t\xc3\xa4g"], 0, compression) + batch([b"a", b"\xff\xfe", b"b"], 2, compression)
    data += batch([b"\x80", b"c"], 5, compression)
    found = read(data, start=1)
    assert [(offset, value) for offset, value, _ in found] == [(n, b"v%d" % n) for n in range(1, 7)]
    assert [headers[0] for _, _, headers in found] == [
        ("täg", b"x"), ("a", b"x"), (r"\xff\xfe", b"x"), ("b", b"x"), (r"\x80", b"x"), ("c", b"x")
    ]  # fmt: skip
    assert all(headers[1] == ("after", None) for _, _, headers in found)
