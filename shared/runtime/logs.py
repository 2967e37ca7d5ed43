"""Structured logs to standard error: constant messages with keys, and nothing that could be about a person."""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from shared.runtime.redaction import describe_error, printable, redact_fields
from shared.runtime.settings import RuntimeSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(service: str, settings: RuntimeSettings, stream: TextIO | None = None) -> None:
    """Send our logs, and what libraries say at WARNING and above, to `stream` (standard error).

    Each line has `at` (ISO, UTC), `level`, `service`, `module`, the constant message `event`, and keys. Values are
    printed by type: numbers, times, ids and plain text; never bytes, `Personal`, secrets, objects that we don't know,
    or keys that name personal data. An error shows its type and stack; its text only when it is one of ours or of
    a library that puts no values into it.
    """
    target = sys.stderr if stream is None else stream
    console = structlog.dev.ConsoleRenderer(colors=target.isatty(), timestamp_key="at", sort_keys=False)
    renderers: list[Processor] = (
        [structlog.processors.JSONRenderer()] if settings.log_format == "json" else [_stack_as_text, console]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            _NamedService(service),
            _render_error,
            redact_fields,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers[:] = [_LibraryHandler()]
    logging.root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module (`logger(__name__)`).

    Messages are constant; what varies is a key: `log.info("Batch committed", action="batch.commit", records=5)`.
    """
    bound: FilteringBoundLogger = structlog.get_logger(module=name)
    return bound


class _NamedService:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {"at": event.pop("at"), "level": event.pop("level"), "service": self._service, **event}


def _render_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()[1]
    elif isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event.update(describe_error(found))
    return event


def _stack_as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "stack" in event:
        event["stack"] = "\n".join(f"    {line}" for line in event["stack"])
    return event


class _LibraryHandler(logging.Handler):
    """Passes what libraries log through our own pipeline, their arguments made safe first."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as a line of ours."""
        said: dict[str, object] = {"action": "library.log", "message": _message(record)}
        if record.exc_info:
            said["exc_info"] = record.exc_info
        logger(record.name).log(record.levelno, "A library says", **said)


def _message(record: logging.LogRecord) -> str:
    args = record.args
    try:
        if isinstance(args, Mapping):
            return str(record.msg) % {key: printable(value) for key, value in args.items()}
        return str(record.msg) % tuple(printable(value) for value in args) if args else str(record.msg)
    except (TypeError, ValueError):
        # A number was expected where the value is not printable: the constant part still says what happened.
        return str(record.msg)
