"""Listening: take a port before anything is served at it, or say which setting moves it."""

import socket

from shared.runtime.errors import FatalError


class PortTakenError(FatalError):
    """A port that we would listen at belongs to another process; `variable` is the setting that names another."""

    def __init__(self, host: str, port: int, variable: str, taken: OSError) -> None:
        why = taken.strerror or type(taken).__name__
        super().__init__(f"can't listen on {host}:{port} ({why}): set {variable} to a free port, or to 0 for any")


def listen(host: str, port: int, variable: str, backlog: int | None = None) -> socket.socket:
    """Take a port; 0 takes any that is free.

    Raises:
        PortTakenError: something else has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        taken = socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        raise PortTakenError(host, port, variable, error) from error
    # Connections inherit it. asyncio sets it only where a socket says that its protocol is TCP, which these do not; and
    # then an answer's body waits until the client acknowledges its head, which clients put off for 40 ms.
    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return taken


def url_of(address: tuple[str, int]) -> str:
    """Return where others reach what listens at a host and a port."""
    host, port = address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
