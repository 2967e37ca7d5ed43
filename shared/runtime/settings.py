"""Settings: typed values from environment variables, where `CRM_<SERVICE>_…` beats `CRM_…`."""

import os
import re
import sys
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from shared.runtime.errors import FatalError

PREFIX = "CRM_"
MIN_SECRET = 16

_BOOTSTRAP = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}(,[A-Za-z0-9._-]+:[0-9]{1,5})*")
_UNPARSED = re.compile(r", unable to .*")
_DATABASE_URL = re.compile(r"postgres(ql)?://[^\s]+")

_CONFIG = SettingsConfigDict(
    env_prefix=PREFIX,
    env_ignore_empty=True,
    extra="ignore",
    frozen=True,
    hide_input_in_errors=True,
    validate_default=True,
)


def _is_postgresql(value: SecretStr) -> SecretStr:
    if not _DATABASE_URL.fullmatch(value.get_secret_value()):
        raise ValueError("expected postgresql://user:password@host:port/database")
    return value


DatabaseUrl = Annotated[
    SecretStr,
    AfterValidator(_is_postgresql),
    Field(description="PostgreSQL: postgresql://user:password@host:port/database."),
]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class WrongSettingsError(FatalError):
    """One or more environment variables do not hold what is needed; the text names each and never shows a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The settings are wrong:", *(f"  {problem}" for problem in problems)]))


class LookupSettings(BaseSettings):
    """What a command needs that only reads a service's tables: Kafka is no part of it."""

    model_config = _CONFIG

    database_url: DatabaseUrl


class RuntimeSettings(BaseSettings):
    """What each service's process needs to know; a service adds fields of its own in a subclass."""

    model_config = _CONFIG

    kafka_bootstrap_servers: str = Field(description="Kafka brokers to start from: host:port, several by comma.")
    database_url: DatabaseUrl
    identity_secret: SecretStr | None = Field(
        None, description="Key of the HMAC that turns an identity into its id; 16 characters or more."
    )
    instance_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Fixed name of this replica's slot: after a crash its successor takes its lanes over at once.",
    )

    lanes: int = Field(4, ge=1, le=1000, description="Partitions of each of our topics; never changed afterwards.")
    batch_max_events: int = Field(5000, ge=1, le=100_000, description="Events in one transaction at most.")
    linger_seconds: float = Field(0.02, ge=0, le=1, description="How long a small batch waits for more events.")
    tick_seconds: Seconds = Field(0.1, le=10, description="How often the clock looks for instants that fell due.")

    session_timeout_seconds: Seconds | None = Field(
        None, description="Kafka session; by default 30 with an instance id and 10 without."
    )
    heartbeat_seconds: Seconds = Field(3, description="Kafka heartbeat; at most a third of the session.")
    max_poll_seconds: Seconds = Field(300, description="Longest time between two polls before Kafka takes the lanes.")
    metadata_max_age_seconds: Seconds = Field(30, description="How soon a topic that was created again is noticed.")
    integrity_interval_seconds: Seconds = Field(30, description="How often positions are compared with the logs.")

    idle_in_transaction_seconds: Seconds = Field(
        5, description="PostgreSQL ends a transaction that stands still for so long; less than the Kafka session."
    )
    lock_timeout_seconds: Seconds = Field(3, description="Longest wait for a lock before the batch is retried.")
    statement_timeout_seconds: Seconds = Field(15, description="Longest statement before the batch is retried.")

    fuse_ratio: float = Field(0.5, gt=0, le=1, description="Share of dead events in a stretch that stops the service.")
    fuse_min_events: int = Field(200, ge=1, description="Events that a stretch must have before its ratio counts.")
    fuse_run: int = Field(1000, ge=1, description="Dead events in a row that stop the service.")

    drain_seconds: Seconds = Field(20, description="Time to finish or roll back what is under way when stopping.")
    stop_grace_seconds: Seconds = Field(25, description="Time after which a process that is still stopping is ended.")

    web_host: str = Field("127.0.0.1", min_length=1, description="Address of /metrics, /livez and /readyz.")
    web_port: int = Field(0, ge=0, le=65535, description="Port of these pages; 0 takes a free one and logs it.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level of our own logs.")
    log_format: Literal["json", "console"] = Field("json", description="One JSON object a line, or text for people.")

    @property
    def session_timeout(self) -> float:
        """Return the Kafka session in seconds."""
        if self.session_timeout_seconds is not None:
            return self.session_timeout_seconds
        return 30.0 if self.instance_id else 10.0

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _brokers_have_ports(cls, value: str) -> str:
        if not _BOOTSTRAP.fullmatch(value):
            raise ValueError("expected host:port, several by comma")
        return value

    @field_validator("identity_secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_SECRET:
            raise ValueError(f"expected {MIN_SECRET} characters or more")
        return value

    @model_validator(mode="after")
    def _timeouts_fit_each_other(self) -> Self:
        if self.heartbeat_seconds > self.session_timeout / 3:
            raise ValueError(
                f"CRM_HEARTBEAT_SECONDS: expected at most a third of the session of {self.session_timeout:g} s, "
                f"got {self.heartbeat_seconds:g}"
            )
        if self.idle_in_transaction_seconds >= self.session_timeout:
            raise ValueError(
                f"CRM_IDLE_IN_TRANSACTION_SECONDS: expected less than the session of {self.session_timeout:g} s, "
                f"got {self.idle_in_transaction_seconds:g}"
            )
        if self.drain_seconds >= self.stop_grace_seconds:
            raise ValueError(
                f"CRM_DRAIN_SECONDS: expected less than CRM_STOP_GRACE_SECONDS of {self.stop_grace_seconds:g} s, "
                f"got {self.drain_seconds:g}"
            )
        return self


S = TypeVar("S", bound=BaseSettings)


def settings_for(service: str, kind: type[S]) -> S:
    """Read the settings of one service from the environment: `CRM_<SERVICE>_X`, else `CRM_X`, else the default.

    An empty variable counts as unset.

    Raises:
        WrongSettingsError: names each variable that is missing or wrong and what was expected.
    """
    prefix = f"{PREFIX}{service.upper()}_"
    try:
        own = EnvSettingsSource(kind, env_prefix=prefix)()
        return kind(**own)
    except ValidationError as wrong:
        raise WrongSettingsError([_problem(kind, prefix, error) for error in wrong.errors()]) from None
    except SettingsError as wrong:
        # A list or table that is not JSON: pydantic says in which field, and would show the value further down.
        raise WrongSettingsError([f"{wrong}: expected JSON"]) from None


def settings_or_exit(service: str, kind: type[S]) -> S:
    """Read the settings of a service, or say on standard error what is wrong and exit with code 2."""
    try:
        return settings_for(service, kind)
    except WrongSettingsError as wrong:
        sys.stderr.write(f"{wrong}\n")
        raise SystemExit(2) from None


def is_secret(kind: type[BaseSettings], field: str) -> bool:
    """Tell whether the value of a field must never be shown."""
    info = kind.model_fields.get(field)
    return info is not None and "Secret" in str(info.annotation)


def _problem(kind: type[BaseSettings], prefix: str, error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    field = str(error["loc"][0])
    info = kind.model_fields[field]
    own = f"{prefix}{field.upper()}"
    variable = own if os.environ.get(own) else f"{PREFIX}{field.upper()}"
    if error["type"] == "missing":
        return f"{variable} is not set: {info.description}"
    expected = message.replace("Input should be", "expected").replace("String should", "expected to")
    # What could not be parsed is told as what was found.
    expected = _UNPARSED.sub("", expected).replace("a valid integer", "a whole number").replace("a valid", "a")
    found = "; its value is a secret and not shown" if is_secret(kind, field) else f", got {error['input']!r}"
    return f"{variable}: {expected}{found}"
