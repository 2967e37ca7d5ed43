"""A real SMTP server (aiosmtpd) that answers each recipient as it is told, with a journal of what it accepted."""

import asyncio
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

DROP_BEFORE = "drop before data"
DROP_AFTER = "drop after data"
HANG = "hang"
HOLD = "hold"
"""Answer, but not before the server is told to."""


@dataclass
class MailServer:
    """What comes to a recipient is answered by the next line of their `script`, and accepted when that has run out."""

    port: int = 0
    journal: list[EmailMessage] = field(default_factory=list)
    script: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def accepted(self) -> Counter[str]:
        """Count accepted mails by the key of their message."""
        return Counter(mail["X-Rapport-Message"] for mail in self.journal)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.script[address][:1] == [DROP_BEFORE]:
            self.script[address].pop(0)
            _abort(server)
            return "421 gone"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        script = self.script[envelope.rcpt_tos[0]]
        answer = script.pop(0) if script else ""
        if answer.startswith(("4", "5")):
            return answer
        self.journal.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]  # bytes
        self.arrived.set()
        if answer == DROP_AFTER:
            _abort(server)
        if answer == HANG:
            await asyncio.Event().wait()
        if answer == HOLD:
            await self.released.wait()
        return "250 2.0.0 OK"


@asynccontextmanager
async def mail_server(port: int = 0) -> AsyncIterator[MailServer]:
    """Serve on a port of this machine, by default a free one, for the length of a block."""
    server = MailServer()
    protocols: list[SMTP] = []

    def protocol() -> SMTP:
        server.connections += 1
        protocols.append(SMTP(server, hostname="mail.test"))
        return protocols[-1]

    listening = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", port, family=socket.AF_INET, reuse_address=True
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for one in protocols:
            _abort(one)
        # Let the connections' handlers see that they are gone: a pending task would be a warning.
        await asyncio.sleep(0)


def _abort(connection: SMTP) -> None:
    if isinstance(connection.transport, asyncio.WriteTransport):
        connection.transport.abort()
