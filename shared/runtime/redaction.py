"""Redaction: decide by type what of a value, a field or an error may be printed at all."""

import re
import traceback
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from pathlib import PurePath
from uuid import UUID

import psycopg
from pydantic import SecretStr
from structlog.typing import EventDict, WrappedLogger
from yarl import URL

from shared.runtime.errors import RapportError
from shared.runtime.personal import Personal

_DENIED_NAMES = """
    address anonymous_id authorization body city cookie data database_url date_of_birth email first_name full_name
    headers identity identity_secret ip last_name password payload person phone postcode properties raw record secret
    street subject surname token traits user_id username value values
"""
DENIED = frozenset(_DENIED_NAMES.split())
"""Field names whose values are about people or secret; also as the last part of a longer name (`work_email`)."""

REDACTED = "[redacted]"
MAX_TEXT = 1000
MAX_DEPTH = 4

_ADDRESS = re.compile(r"[^\s@'\"<>(),;:=]+@[^\s@'\"<>(),;:=]+\.[A-Za-z]{2,}")
_CREDENTIALS = re.compile(r"(://[^\s:/@]*):[^\s@]+@")
_TEXT_WITHOUT_VALUES = ("aiokafka.", "confluent_kafka.", "cimpl", "asyncio.", "concurrent.futures.")


def redact_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every field of a log line printable; a structlog processor."""
    return {key: REDACTED if is_denied(key) else printable(value) for key, value in event.items()}


def is_denied(key: str) -> bool:
    """Tell whether a field of this name is never printed."""
    lowered = key.lower()
    return lowered in DENIED or any(lowered.endswith(f"_{name}") for name in DENIED)


@singledispatch
def printable(value: object, depth: int = 0) -> object:  # noqa: ARG001 - each registered type has the same signature
    """Turn a value into what may be printed: safe by what is allowed, not by what is forbidden.

    Numbers, times and ids stay; text is cut and loses addresses and passwords; containers are walked; whatever else is
    shown as the name of its type.
    """
    return f"<{type(value).__name__}>"


@printable.register(type(None))
@printable.register(bool)
@printable.register(int)
@printable.register(float)
def _number(value: object, depth: int = 0) -> object:  # noqa: ARG001 - one signature for all
    return value


@printable.register(Personal)
@printable.register(SecretStr)
@printable.register(bytes)
@printable.register(bytearray)
@printable.register(memoryview)
def _hidden(value: object, depth: int = 0) -> object:  # noqa: ARG001 - one signature for all
    return REDACTED


@printable.register(str)
@printable.register(Decimal)
@printable.register(UUID)
@printable.register(datetime)
@printable.register(date)
@printable.register(timedelta)
@printable.register(PurePath)
@printable.register(URL)
def _plain(value: object, depth: int = 0) -> object:  # noqa: ARG001 - one signature for all
    return _text(value.isoformat() if isinstance(value, date) else str(value))


@printable.register
def _enumerated(value: Enum, depth: int = 0) -> object:
    return printable(value.value, depth)


@printable.register
def _error(value: BaseException, depth: int = 0) -> object:  # noqa: ARG001 - one signature for all
    text = error_text(value)
    return f"{type(value).__name__}: {text}" if text else type(value).__name__


@printable.register
def _mapping(value: Mapping, depth: int = 0) -> object:  # type: ignore[type-arg]  # dispatch needs the bare class
    if depth >= MAX_DEPTH:
        return f"<{type(value).__name__}>"
    return {
        str(printable(key)): REDACTED if is_denied(str(key)) else printable(inner, depth + 1)
        for key, inner in value.items()
    }


@printable.register(tuple)
@printable.register(list)
@printable.register(set)
@printable.register(frozenset)
def _several(value: Iterable[object], depth: int = 0) -> object:
    return f"<{type(value).__name__}>" if depth >= MAX_DEPTH else [printable(inner, depth + 1) for inner in value]


def brief(error: BaseException) -> dict[str, object]:
    """Describe an error by type and safe text alone: all that operators need of one whose text says what to do."""
    described: dict[str, object] = {"error": type(error).__name__}
    text = error_text(error)
    if text:
        described["error_text"] = text
    return described


def describe_error(error: BaseException) -> dict[str, object]:
    """Describe an error by type, safe text, stack and causes; never the values it carries, never locals."""
    described = brief(error)
    described["stack"] = [
        f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["caused_by"] = describe_error(cause)
    return described


def error_text(error: BaseException) -> str:
    """Return what may be printed of an error's text.

    Ours say what is wrong and no values. PostgreSQL's text and detail quote values (`Key (email)=(…) already exists`),
    so only the code and the names of what was violated remain. Errors of other origin may quote anything: no text.
    """
    if isinstance(error, psycopg.Error) and error.sqlstate:
        names = {
            "sqlstate": error.sqlstate,
            "schema": error.diag.schema_name,
            "table": error.diag.table_name,
            "column": error.diag.column_name,
            "constraint": error.diag.constraint_name,
        }
        return " ".join(f"{name}={value}" for name, value in names.items() if value)
    if isinstance(error, RapportError | OSError | psycopg.OperationalError):
        return _text(str(error))
    return _text(str(error)) if type(error).__module__.startswith(_TEXT_WITHOUT_VALUES) else ""


def _text(value: str) -> str:
    if "@" in value:
        value = _ADDRESS.sub(REDACTED, _CREDENTIALS.sub(r"\1:***@", value))
    return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
