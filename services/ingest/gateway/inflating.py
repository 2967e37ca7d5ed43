"""Bodies that were compressed, read whatever their headers say, and never further than the limit."""

import zlib
from dataclasses import dataclass

import cramjam

_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZLIB_FIRST, _ZLIB_CHECK = 0x78, 31
_MOST_LAYERS = 2
_MOST_MEMBERS = 100
_FULL = "failed to write whole buffer"


@dataclass(frozen=True, slots=True)
class TooLarge:
    """There is more in it than is taken."""


@dataclass(frozen=True, slots=True)
class Broken:
    """It began as if compressed and is not, or it ends before its end."""


def inflated(body: bytes, said: bytes, most: int) -> bytes | TooLarge | Broken:
    """Return what is in a body: by its first bytes, for JSON never begins like these, else by its header.

    What a header calls compressed and is not is returned as it is: some proxies inflate and leave the header.
    """
    for _ in range(_MOST_LAYERS):
        inner = _layer(body, most)
        if inner is None:
            break
        if not isinstance(inner, bytes):
            return inner
        body = inner
    if said and body[:1] not in (b"{", b"["):
        return _by_name(body, said, most)
    return body


def _layer(body: bytes, most: int) -> bytes | TooLarge | Broken | None:
    if body.startswith(_GZIP_MAGIC):
        return _deflated(body, _GZIP, most)
    if body.startswith(_ZSTD_MAGIC):
        return _into(cramjam.zstd, body, most)
    if len(body) > 1 and body[0] == _ZLIB_FIRST and int.from_bytes(body[:2], "big") % _ZLIB_CHECK == 0:
        return _deflated(body, _ZLIB, most)
    return None


def _by_name(body: bytes, said: bytes, most: int) -> bytes | TooLarge | Broken:
    coding = said.strip().lower()
    if coding == b"br":
        found = _into(cramjam.brotli, body, most)
    elif coding == b"deflate":
        found = _deflated(body, _RAW, most)
    else:
        return body
    return body if isinstance(found, Broken) else found


def _deflated(body: bytes, window: int, most: int) -> bytes | TooLarge | Broken:
    parts: list[bytes] = []
    left = most
    # Compressed in several pieces, as some tools do; each costs a copy of all that follows it.
    while body and len(parts) < _MOST_MEMBERS:
        stream = zlib.decompressobj(window)
        try:
            part = stream.decompress(body, left + 1)
        except zlib.error:
            return Broken()
        if len(part) > left:
            return TooLarge()
        if not stream.eof:
            return Broken()
        parts.append(part)
        left -= len(part)
        body = stream.unused_data if window == _GZIP else b""
        if not body.startswith(_GZIP_MAGIC):
            break
    else:
        return Broken()
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _into(codec: object, body: bytes, most: int) -> bytes | TooLarge | Broken:
    out = bytearray(most)
    try:
        size = codec.decompress_into(body, out)  # type: ignore[attr-defined]  # a module of cramjam
    except cramjam.DecompressionError as error:
        return TooLarge() if _FULL in str(error) else Broken()
    return bytes(out[:size])
