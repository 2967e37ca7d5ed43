"""Mail over SMTP: a few connections kept open, and for each mail an answer that says how sure we are of it."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from pydantic import SecretStr

from services.engagement.domain.ledger import Accepted, Answer, Deferred, Lost, Refused
from services.engagement.domain.mail import Mail
from shared.runtime.errors import TransientError

MAILS_A_CONNECTION = 25
"""A further connection is opened for each so many mails of a batch."""
IDLE_SECONDS = 20.0
"""A connection that stood idle for longer is asked whether it still works: middle boxes forget without a word."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class Encryption(Enum):
    """How the way to the server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over."""

    host: str
    port: int
    encryption: Encryption = Encryption.NONE
    user: str | None = None
    password: SecretStr | None = None


class MailServerUnreachableError(TransientError):
    """No connection to the mail server can be had; nothing was sent."""

    def __init__(self, server: SmtpServer, why: str) -> None:
        super().__init__(
            f"mail server {server.host}:{server.port} can't be used ({why}): check CRM_ENGAGEMENT_SMTP_URL"
        )


class SmtpMailer:
    """Hands mails to one server over up to `connections` connections.

    Whatever fails before the mail itself was begun is `Deferred`: the server cannot have taken it. A failure after
    that without an answer is `Lost`: it may have.
    """

    def __init__(self, server: SmtpServer, connections: int, timeout_seconds: float) -> None:
        self._server = server
        self._timeout = timeout_seconds
        self._lines = [_Line(server, timeout_seconds) for _ in range(connections)]

    async def ready(self) -> None:
        """Make sure of one connection.

        Raises:
            MailServerUnreachableError: there is none to be had.
        """
        await self._lines[0].open()

    async def deliver(self, mails: Iterator[Mail], most: int, answered: Callable[[str, Answer], None]) -> None:
        """Hand mails over, shared among the connections, and tell the answer to each as soon as it is known."""
        wanted = min(len(self._lines), max(1, most // MAILS_A_CONNECTION))
        async with asyncio.TaskGroup() as group:
            for line in self._lines[:wanted]:
                group.create_task(line.work(mails, answered))

    async def close(self) -> None:
        """Take leave of the server."""
        for line in self._lines:
            await line.close()


class _Line:
    """One connection, opened when it is needed."""

    def __init__(self, server: SmtpServer, timeout: float) -> None:
        self._server = server
        self._client = _client(server, timeout)
        self._used_at = 0.0

    async def open(self) -> None:
        try:
            if self._client.is_connected and time.monotonic() - self._used_at > IDLE_SECONDS:
                await self._probe()
            if not self._client.is_connected:
                await self._client.connect()
                await self._client.ehlo()
            self._used_at = time.monotonic()
        except (SMTPException, OSError) as error:
            self._client.close()
            raise MailServerUnreachableError(self._server, _reply(error)) from error

    async def work(self, mails: Iterator[Mail], answered: Callable[[str, Answer], None]) -> None:
        for mail in mails:
            try:
                await self.open()
            except MailServerUnreachableError:
                answered(mail.key, Deferred("no_connection"))
                continue
            answered(mail.key, await self._hand_over(mail))
            self._used_at = time.monotonic()

    async def close(self) -> None:
        if self._client.is_connected:
            try:
                await self._client.quit()
            except (SMTPException, OSError):
                self._client.close()

    async def _hand_over(self, mail: Mail) -> Answer:
        try:
            await self._client.mail(mail.sender)
            await self._client.rcpt(mail.recipient)
        except SMTPResponseException as refusal:
            return await self._refused(refusal, Deferred("malformed_reply"))
        except (SMTPException, OSError) as error:
            self._client.close()
            return Deferred(_reply(error))
        try:
            response = await self._client.data(mail.content)
        except SMTPResponseException as refusal:
            return await self._refused(refusal, Lost("malformed_reply"))
        except (SMTPException, OSError) as error:
            # The last line may have reached the server before the line broke.
            self._client.close()
            return Lost(_reply(error))
        return Accepted(_code(response.code, response.message))

    async def _refused(self, refusal: SMTPResponseException, unclear: Answer) -> Answer:
        if refusal.code not in range(400, 600):
            # Not SMTP any more: whatever was meant, this connection is of no use.
            self._client.close()
            return unclear
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self._client.close()
        reply = _code(refusal.code, refusal.message)
        return Deferred(reply) if refusal.code in range(400, 500) else Refused(reply)

    async def _probe(self) -> None:
        try:
            await self._client.noop()
        except (SMTPException, OSError):
            self._client.close()


def _client(server: SmtpServer, timeout: float) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=None if server.password is None else server.password.get_secret_value(),
        timeout=timeout,
        use_tls=server.encryption is Encryption.TLS,
        start_tls=server.encryption is Encryption.STARTTLS,
    )


def _code(code: int, message: str) -> str:
    # The words of a reply quote addresses; the enhanced code (RFC 3463) says as much and about nobody.
    enhanced = _ENHANCED.match(message)
    return f"{code} {enhanced[0]}" if enhanced else str(code)


def _reply(error: Exception) -> str:
    match error:
        case SMTPResponseException():
            return _code(error.code, error.message)
        case SMTPTimeoutError() | TimeoutError():
            return "timeout"
        case SMTPServerDisconnected():
            return "disconnected"
        case _:
            return type(error).__name__
