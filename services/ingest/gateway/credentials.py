"""Where a request may carry its key: several places, for every SDK has its own."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from urllib.parse import parse_qs

import msgspec

from services.ingest.gateway.answers import Scope

QUERY_NAME = "writeKey"
_BASIC, _BEARER = b"basic ", b"bearer "
_LONGEST_LENGTH = 18
_SHOWN = re.compile(rb'"writeKey"\s*:\s*"(rk_[A-Za-z0-9_-]{1,100})"')


class _Body(msgspec.Struct, gc=False):
    # Unread, for it may be anything of any size.
    write_key: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="writeKey")


_decode = msgspec.json.Decoder(_Body).decode
_text = msgspec.json.Decoder(str).decode


class Head(msgspec.Struct, gc=False):
    """What of a request's headers matters; names are as the server gives them, in lower case."""

    authorization: bytes = b""
    write_key: bytes = b""
    length: int | None = None
    encoding: bytes = b""
    content_type: bytes = b""
    origin: bytes | None = None
    host: bytes = b""


def head(scope: Scope) -> Head:
    """Read the headers once."""
    found = Head()
    for name, value in scope["headers"]:
        match name:
            case b"authorization":
                found.authorization = value
            case b"content-length":
                found.length = _length(value)
            case b"content-encoding":
                found.encoding = value
            case b"content-type":
                found.content_type = value
            case b"origin":
                found.origin = value
            case b"x-write-key":
                found.write_key = value
            case b"host":
                found.host = value
    return found


def said(of: Head, path_key: str, query: bytes) -> Iterator[str]:
    """Name the keys that a request shows before its body; what has not the form of a key is none."""
    if of.authorization:
        yield _authorized(of.authorization)
    if of.write_key:
        yield of.write_key.strip().decode("latin-1")
    if path_key:
        yield path_key
    if query and QUERY_NAME.encode() in query:
        yield parse_qs(query.decode("latin-1")).get(QUERY_NAME, [""])[0]


def in_body(body: bytes) -> str:
    """Read the key that a body carries, or nothing."""
    try:
        found = bytes(_decode(body).write_key)
        return _text(found) if found.startswith(b'"') else ""
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        # No JSON, and yet one broken event must not cost the others their sender.
        shown = _SHOWN.search(body)
        return "" if shown is None else shown[1].decode("latin-1")


def _length(value: bytes) -> int | None:
    """Read a length; zeros before it, of which there may be any number, say nothing."""
    digits = value.lstrip(b"0")
    return int(digits or b"0") if value.isdigit() and len(digits) <= _LONGEST_LENGTH else None


def _authorized(header: bytes) -> str:
    scheme = header[:7].lower()
    if scheme.startswith(_BASIC):
        try:
            user = b64decode(header[len(_BASIC) :].strip())
        except (binascii.Error, ValueError):
            return ""
        return user.partition(b":")[0].decode("latin-1")
    if scheme == _BEARER:
        return header[len(_BEARER) :].strip().decode("latin-1")
    return ""
