"""Whoever partitions by a key meets us in the same partition: our murmur2 is Kafka's."""

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import partitioning

# From Apache Kafka's own UtilsTest.testMurmur2, as signed 32 bit numbers.
PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), PUBLISHED.items())
def test_the_published_answers_come_out(data: bytes, signed: int) -> None:
    assert partitioning.murmur2(data) == signed % 2**32


@given(st.binary(max_size=100))
def test_the_hash_is_that_of_the_kafka_client(data: bytes) -> None:
    assert partitioning.murmur2(data) == murmur2(data) % 2**32


@given(st.text(max_size=40), st.integers(1, 50))
def test_a_key_lies_where_the_default_partitioner_puts_it(key: str, lanes: int) -> None:
    partitions = list(range(lanes))
    assert partitioning.lane_of(key, lanes) == DefaultPartitioner()(key.encode(), partitions, partitions)
