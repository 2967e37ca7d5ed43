"""The gateway as a process of its own under test: started on a port, watched, ended whatever happens."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[5]
SECRET = "a secret of the wire's tests"
BOOT_SECONDS = 60.0
LOOK_SECONDS = 0.02


@dataclass
class GatewayProcess:
    """`python -m services.ingest.gateway` at one port; started again after a kill it has the same port."""

    environment: Mapping[str, str]
    log: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """Return what a customer's program is given as the host."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, failpoints: str = "") -> "GatewayProcess":
        """Start it and wait until it answers."""
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ingest.gateway"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": os.environ["PATH"],
                    **self.environment,
                    "CRM_INGEST_GATEWAY_PORT": str(self.port),
                    "CRM_IDENTITY_SECRET": SECRET,
                    "CRM_FAILPOINTS": failpoints,
                },
            )
        until = time.monotonic() + BOOT_SECONDS
        while not self._answers():
            assert self.process.poll() is None, f"the gateway ended: {self.said()}"
            assert time.monotonic() < until, f"the gateway does not answer: {self.said()}"
            time.sleep(LOOK_SECONDS)
        return self

    def wait_killed(self) -> None:
        """Wait until a failpoint has killed it."""
        assert self.process is not None
        assert self.process.wait(60) == -9, self.said()

    def memory(self) -> int:
        """Return how many bytes it has in memory now."""
        assert self.process is not None
        text = Path(f"/proc/{self.process.pid}/statm").read_text("utf-8")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text("utf-8", "replace")[-3000:]

    def end(self) -> None:
        """Kill it and leave no zombie."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait(20)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
