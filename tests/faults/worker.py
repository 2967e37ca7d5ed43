"""A service's process under test: started with failpoints, watched by its log, killed at the end whatever happens."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.awaiting import until

ROOT = Path(__file__).parents[2]
BOOT_SECONDS = 40.0

TIMES = {
    "CRM_SESSION_TIMEOUT_SECONDS": "6",
    "CRM_HEARTBEAT_SECONDS": "1",
    "CRM_IDLE_IN_TRANSACTION_SECONDS": "3",
    "CRM_METADATA_MAX_AGE_SECONDS": "3",
    "CRM_INTEGRITY_INTERVAL_SECONDS": "2",
}
"""Short time-outs, in the proportions that production has."""


@dataclass
class Worker:
    """One process; `name` tells it apart in the report, `log` is all that it wrote."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    _read: int = 0
    _lines: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, name: str, module: str, environment: Mapping[str, str], log: Path) -> "Worker":
        """Start `python -m …` with nothing of our environment but the path."""
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], **TIMES, **environment},
            )
        return cls(name, process, log)

    def lines(self) -> list[dict[str, Any]]:
        """Return its log lines until now."""
        with self.log.open("rb") as source:
            source.seek(self._read)
            text = source.read()
        whole = text.rfind(b"\n") + 1
        self._read += whole
        for line in text[:whole].splitlines():
            if line.startswith(b"{"):
                self._lines.append(json.loads(line))
        return self._lines

    def actions(self) -> Counter[str]:
        """Count its log lines by action."""
        return Counter(str(line.get("action", "")) for line in self.lines())

    def claims(self) -> list[list[int]]:
        """Return the lanes of each claim it made, in order."""
        return [line["lanes"] for line in self.lines() if line.get("action") == "lanes.claimed"]

    def claimed(self) -> list[int]:
        """Return the lanes of its last claim."""
        return (self.claims() or [[]])[-1]

    def wait_claimed(self, more_than: int = 0) -> None:
        """Wait until it has claimed once more, and holds a lane."""
        until(lambda: self._alive() and len(self.claims()) > more_than, f"{self.name} claims lanes", BOOT_SECONDS)

    def wait_end(self, seconds: float = 60.0) -> int:
        """Wait until it has ended, and return its exit code."""
        until(lambda: self.process.poll() is not None, f"{self.name} ends", seconds)
        return self.process.returncode

    def wait_stopped(self) -> None:
        """Wait until the kernel says that it stands still."""
        until(lambda: self._state() == "T", f"{self.name} stands still", BOOT_SECONDS)

    def wait_awake(self, seconds: float) -> None:
        """Wait until the kernel says that it goes on."""
        until(lambda: self._state() != "T", f"{self.name} goes on", seconds)

    def error(self) -> str:
        """Return the name of the error that stopped it."""
        ends = [line for line in self.lines() if line.get("action") in ("stop.crash", "service.refuse")]
        return str(ends[-1].get("error", "")) if ends else ""

    def terminate(self) -> None:
        """Ask it to stop in good order."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill it, stopped or not, and leave no zombie."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def _alive(self) -> bool:
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"{self.name} ended with {code} ({self.error()})")
        return True

    def _state(self) -> str:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8")
        return stat.rsplit(")", 1)[1].split()[0]
