"""JSON as it stands on our topics: typed decoding, exact decimals, and one canonical form that means "equal"."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic")

_QUOTED = re.compile(r""" (['"]).*\1(?= - at `|$)""", re.DOTALL)


class MalformedMessageError(ValueError):
    """A message is not what its type says; the text names the path and what was expected, never the value."""


def encode(message: Any) -> bytes:
    """Encode a message as JSON; a Decimal becomes a number with all its digits."""
    return _encoder.encode(message)


def canonical(message: Any) -> bytes:
    """Encode with sorted keys: two values are equal exactly when these bytes are."""
    return _canonical.encode(message)


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of a message type, made once; numbers in untyped places come back as exact decimals."""
    found = _decoders.get(kind)
    if found is None:
        found = _decoders[kind] = msgspec.json.Decoder(kind, float_hook=Decimal)
    return found


def decode(kind: type[T], data: bytes | msgspec.Raw) -> T:
    """Decode and check a message.

    Raises:
        MalformedMessageError: the bytes are not JSON, or not of this type.
    """
    try:
        message: T = decoder(kind).decode(data)
    except msgspec.MsgspecError as error:
        # "Invalid enum value 'eva@example.com' - at `$.state`": errors are kept and logged, values must not be.
        raise MalformedMessageError(_QUOTED.sub("", str(error))) from None
    except UnicodeDecodeError:
        raise MalformedMessageError("Text is not UTF-8") from None
    except RecursionError:
        raise MalformedMessageError("Objects and arrays are nested too deeply") from None
    except InvalidOperation:
        raise MalformedMessageError("Number out of range") from None
    return message


def raw(value: Mapping[str, Any]) -> msgspec.Raw:
    """Keep a JSON object as its bytes."""
    return msgspec.Raw(_encoder.encode(value))
