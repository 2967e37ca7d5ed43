"""Which partition, and so which lane, a key belongs to: murmur2, as Kafka's default partitioner."""

import struct
from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORD = struct.Struct("<I")


def murmur2(data: bytes) -> int:
    """Hash bytes as Kafka's Java client does (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned number."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for (k,) in _WORD.iter_unpack(data[:whole]):
        k = (k * _M) & _MASK  # noqa: PLW2901 - the mixing steps of the published algorithm
        k = ((k ^ (k >> 24)) * _M) & _MASK  # noqa: PLW2901 - as above
        h = ((h * _M) & _MASK) ^ k
    rest = data[whole:]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=1 << 16)
def lane_of(key: str, lanes: int) -> int:
    """Return the lane (partition) of a key's UTF-8 bytes among `lanes`."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % lanes
