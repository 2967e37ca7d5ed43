from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import psycopg
import pytest

from shared.runtime.errors import FatalError
from shared.runtime.redaction import MAX_TEXT, REDACTED, brief, describe_error, error_text, is_denied, printable


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (0.25, 0.25),
        ("plain", "plain"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Decimal("11.70"), "11.70"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Path("a/b"), "a/b"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (b"bytes", REDACTED),
        (bytearray(b"bytes"), REDACTED),
        (memoryview(b"bytes"), REDACTED),
        (object(), "<object>"),
        ((1, "a", b"x"), [1, "a", REDACTED]),
        (MappingProxyType({"phone": 1, "n": 2}), {"phone": REDACTED, "n": 2}),
        (ValueError("canary"), "ValueError"),
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: [Errno 111] Connection refused"),
        ("mail ada@example.com, bob@example.org now", f"mail {REDACTED}, {REDACTED} now"),
        ("postgresql://crm:word@db:5432/x", "postgresql://crm:***@db:5432/x"),
    ],
)
def test_a_value_is_shown_by_its_type(value: object, shown: object) -> None:
    assert printable(value) == shown


def test_a_long_text_is_cut() -> None:
    assert len(str(printable("x" * 5000))) == MAX_TEXT + 1


def test_a_value_that_contains_itself_ends() -> None:
    nested: list[object] = []
    nested.append(nested)
    assert "<list>" in str(printable(nested))


@pytest.mark.parametrize("key", ["email", "Email", "work_email", "user_id", "payload", "database_url", "record"])
def test_a_field_about_people_is_denied(key: str) -> None:
    assert is_denied(key)


@pytest.mark.parametrize("key", ["records", "topic", "lane", "emails_sent", "event", "url", "identity_count"])
def test_a_field_about_the_system_is_not_denied(key: str) -> None:
    assert not is_denied(key)


def test_an_error_from_postgresql_shows_its_code_and_no_values() -> None:
    error = psycopg.errors.UniqueViolation('duplicate key: "canary"')
    assert error_text(error) == "sqlstate=23505"


def test_a_failed_connection_says_why() -> None:
    assert "Connection refused" in error_text(psycopg.OperationalError("connection failed: Connection refused"))


def test_a_hidden_context_is_not_described() -> None:
    hidden = ValueError("second")
    hidden.__context__ = KeyError("first")
    assert "caused_by" in describe_error(hidden)
    hidden.__suppress_context__ = True
    assert "caused_by" not in describe_error(hidden)


def test_an_error_in_brief_has_its_safe_text_and_no_stack() -> None:
    assert brief(FatalError("set CRM_WEB_PORT")) == {"error": "FatalError", "error_text": "set CRM_WEB_PORT"}
    assert brief(ValueError("canary")) == {"error": "ValueError"}
