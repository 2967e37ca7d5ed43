"""A mail server for trying things out: takes every mail over SMTP and keeps it in a Maildir."""

import asyncio
import mailbox
import signal
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

MOST_BYTES = 10 * 1024 * 1024


class Keeper:
    """Keeps mails, whoever they are for. The Maildir format makes each one a file that appears whole."""

    def __init__(self, folder: Path) -> None:
        self._kept = mailbox.Maildir(folder, create=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail; the sender is told so only after it is on disk."""
        content = envelope.content or b""
        self._kept.add(content if isinstance(content, bytes) else content.encode())
        return "250 kept"


async def serve(port: int, folder: Path) -> None:
    """Serve until SIGTERM."""
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(
        lambda: SMTP(keeper, hostname="localhost", enable_SMTPUTF8=True, data_size_limit=MOST_BYTES, loop=loop),
        "127.0.0.1",
        port,
    )
    async with server:
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
