"""A mail server that accepts everything and remembers to whom: the provider's own journal of a row."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.local.ports import free_ports


class Mailbox:
    """Counts accepted mails by recipient."""

    def __init__(self) -> None:
        self._accepted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def accepted(self) -> Counter[str]:
        """Return how many mails each recipient got."""
        with self._lock:
            return self._accepted.copy()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        with self._lock:
            self._accepted.update(envelope.rcpt_tos)
        return "250 2.0.0 OK"


@contextmanager
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """Serve on a free port of this machine; gives the mailbox and its address."""
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_ports(1)[0])
    controller.start()
    try:
        yield box, f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()
