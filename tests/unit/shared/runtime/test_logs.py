import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from shared.runtime.errors import PoisonError
from shared.runtime.failpoints import FailpointError, parse_rule
from shared.runtime.logs import configure_logs, logger
from shared.runtime.personal import Personal
from shared.runtime.settings import RuntimeSettings

log = logger("tests.logs")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def configure(stream: io.StringIO, **changes: Any) -> None:
    values = {"kafka_bootstrap_servers": "k:1", "database_url": "postgresql://db/x", **changes}
    configure_logs("profile", RuntimeSettings(**values), stream)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_service_module_message_and_keys(stream: io.StringIO) -> None:
    configure(stream)
    log.info("Batch committed", action="batch.commit", records=5)
    (line,) = lines(stream)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "info",
        "service": "profile",
        "module": "tests.logs",
        "event": "Batch committed",
        "action": "batch.commit",
        "records": 5,
    }


def test_a_level_below_the_setting_is_not_written(stream: io.StringIO) -> None:
    configure(stream, log_level="warning")
    log.info("Not this")
    log.warning("But this")
    assert [line["event"] for line in lines(stream)] == ["But this"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_about_a_person_reaches_a_line(stream: io.StringIO, log_format: str) -> None:
    configure(stream, log_format=log_format)
    canary = "canary-7f3a"
    log.info(
        "Seen",
        who=Personal(canary),
        secret_thing=SecretStr(canary),
        record_bytes=canary.encode(),
        email=canary,
        work_email=canary,
        nested={"traits": {"a": canary}, "list": [Personal(canary), {"phone": canary}]},
        note=f"wrote to {canary}@example.com",
        url=f"postgresql://crm:{canary}@db/x",
        unknown=type("Customer", (), {"__repr__": lambda _self: canary})(),
    )
    assert "Seen" in stream.getvalue()
    assert canary not in stream.getvalue()


def test_an_error_shows_type_and_stack_but_no_foreign_text(stream: io.StringIO) -> None:
    configure(stream)
    try:
        int("canary-7f3a")
    except ValueError:
        log.exception("Failed", action="x")
    (line,) = lines(stream)
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["stack"][0]
    assert "canary" not in stream.getvalue()


def test_an_error_of_ours_shows_its_text_and_its_cause(stream: io.StringIO) -> None:
    configure(stream)
    try:
        try:
            json.loads("{}")["canary-7f3a"]
        except KeyError as error:
            raise PoisonError("traits: expected an object, found a list") from error
    except PoisonError as error:
        log.warning("Set aside", exc_info=error)
    (line,) = lines(stream)
    assert line["error_text"] == "traits: expected an object, found a list"
    assert line["caused_by"]["error"] == "KeyError"
    assert "canary" not in stream.getvalue()


def test_people_get_the_stack_as_text(stream: io.StringIO) -> None:
    configure(stream, log_format="console")
    try:
        parse_rule("not this one")
    except FailpointError:
        log.exception("Failed")
    assert "not this one" in stream.getvalue()
    assert "\n    " in stream.getvalue()


def test_a_library_is_heard_from_warning_on_and_without_its_values(stream: io.StringIO) -> None:
    configure(stream)
    library = logging.getLogger("aiokafka.consumer")
    library.info("Not this")
    library.warning("Record %r of %s at %d", b"canary-7f3a", "topic-1", 42)
    library.error("Crashed reason=%r", ValueError("canary-7f3a"))
    library.error("A wrong format %d", "canary-7f3a")
    said = lines(stream)
    assert [line["message"] for line in said] == [
        "Record '[redacted]' of topic-1 at 42",
        "Crashed reason='ValueError'",
        "A wrong format %d",
    ]
    assert {line["module"] for line in said} == {"aiokafka.consumer"}
    assert "canary" not in stream.getvalue()


def test_a_warning_is_a_line_too(stream: io.StringIO) -> None:
    configure(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert "old thing" in line["message"]


def test_a_personal_value_is_hidden_until_it_is_asked_for() -> None:
    value = Personal("ada@example.com")
    assert value.reveal() == "ada@example.com"
    assert "ada" not in f"{value} {value!r} {value:>20} {[value]}"
    assert value == Personal("ada@example.com")
