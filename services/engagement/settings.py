"""What engagement's process needs to know beyond what every service does."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from services.engagement.adapters.smtp import Encryption, SmtpServer
from services.engagement.domain.ledger import RetryPolicy
from shared.runtime.settings import RuntimeSettings, Seconds

_SCHEMES = {
    "smtp": (Encryption.NONE, 25),
    "smtp+starttls": (Encryption.STARTTLS, 587),
    "smtps": (Encryption.TLS, 465),
}
_EXPECTED = "expected smtp://host:port, smtp+starttls://user:password@host:port or smtps://user:password@host:port"


class EngagementSettings(RuntimeSettings):
    """Settings of engagement; all but the secret have a default."""

    campaigns_dir: Path = Field(Path("config/campaigns"), description="Folder of the campaigns' YAML files.")
    smtp_url: SecretStr = Field(
        SecretStr("smtp://127.0.0.1:25"),
        description="Mail server: smtp://, smtp+starttls:// or smtps://, with user:password@ if it wants them.",
    )
    smtp_connections: int = Field(4, ge=1, le=100, description="Connections to the mail server at most.")
    smtp_timeout_seconds: Seconds = Field(30, le=600, description="Longest wait for an answer of the mail server.")
    # Rendering shares the event loop with Kafka's heartbeats: 500 mails take a tenth of a second.
    send_batch: int = Field(200, ge=1, le=500, description="Messages that are written down as being sent at once.")
    retry_seconds: Seconds = Field(
        30, description="Pause after the first deferred attempt; four times that after each."
    )
    retry_attempts: int = Field(12, ge=1, le=100, description="Attempts before a message has failed.")

    @field_validator("smtp_url")
    @classmethod
    def _url_names_a_mail_server(cls, value: SecretStr) -> SecretStr:
        parse_smtp_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _addresses_can_be_named_without_revealing_them(self) -> Self:
        if self.identity_secret is None:
            raise ValueError("CRM_IDENTITY_SECRET is not set: key of the HMAC of addresses; 16 characters or more")
        return self

    @property
    def secret(self) -> bytes:
        """Return the key of the HMAC of addresses."""
        assert self.identity_secret is not None  # noqa: S101 - checked above
        return self.identity_secret.get_secret_value().encode()

    @property
    def server(self) -> SmtpServer:
        """Return the mail server."""
        return parse_smtp_url(self.smtp_url.get_secret_value())

    @property
    def retry_policy(self) -> RetryPolicy:
        """Return how deferred messages are tried again."""
        return RetryPolicy(first=timedelta(seconds=self.retry_seconds), attempts=self.retry_attempts)


def parse_smtp_url(url: str) -> SmtpServer:
    """Read the address of a mail server.

    Raises:
        ValueError: it is no such address, or would send a password in the clear to another machine.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(_EXPECTED) from None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError(_EXPECTED)
    encryption, default_port = _SCHEMES[parts.scheme]
    if parts.username and encryption is Encryption.NONE and not _is_this_machine(parts.hostname):
        raise ValueError("expected smtps:// or smtp+starttls:// with a password: smtp:// would send it in the clear")
    return SmtpServer(
        host=parts.hostname,
        port=port or default_port,
        encryption=encryption,
        user=unquote(parts.username) if parts.username else None,
        password=SecretStr(unquote(parts.password)) if parts.password else None,
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
