"""Free ports, below the range from which the system takes ports for clients."""

import contextlib
import random
import socket
from pathlib import Path

import psutil

from shared.local.errors import NoFreePortError

_LOWEST = 20000
_HIGHEST = 32767
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 200
LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Pick so many different free ports on 127.0.0.1.

    They are chosen below the ephemeral range: while a server is down, a client that retries could otherwise be given
    the server's own port as its source and even connect to itself. Raises NoFreePortError.
    """
    chosen: list[int] = []
    picker = random.SystemRandom()
    highest = min(_HIGHEST, _first_ephemeral() - 1)
    for _ in range(_TRIES):
        port = picker.randint(min(_LOWEST, highest - 1000), highest)
        if port not in chosen and is_free(port):
            chosen.append(port)
            if len(chosen) == count:
                return chosen
    raise NoFreePortError(_TRIES)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def answers(port: int, seconds: float = 1.0) -> bool:
    """Tell whether somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=seconds):
        return True
    return False


def holder(port: int) -> str:
    """Name who listens on a port, as well as the system lets us know."""
    with contextlib.suppress(psutil.Error):
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
                return f"process {each.pid} ({psutil.Process(each.pid).name()})"
    return "another program"


def _first_ephemeral() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return max(2048, int(_RANGE.read_text().split()[0]))
    return 49152  # the range of RFC 6335, which systems without that file keep to
