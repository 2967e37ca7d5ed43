"""What a stack's folder remembers: ports and processes, so that whoever comes next finds them."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from shared.local.errors import BrokenStateError, BusyStackError
from shared.local.processes import ProcessIdentity

_PATIENCE = 300.0  # seconds; the longest honest start is a first one over a slow network


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server's memory: its ports (kept over restarts) and the process that serves them, if one was started."""

    ports: tuple[int, ...]
    process: ProcessIdentity | None


class StateFile:
    """`state.json` of one root: replaced as a whole, so that a reader never sees half of it."""

    def __init__(self, root: Path) -> None:
        self.path = root / "state.json"
        self._lock = root / "stack.lock"

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the root for one start or stop; re-entrant in a thread. Raises BusyStackError after five minutes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock, timeout=_PATIENCE, is_singleton=True)
        try:
            with lock:
                yield
        except Timeout as error:
            raise BusyStackError(self.path.parent) from error

    def read(self, server: str) -> ServerState | None:
        """Read one server's memory; None when there is none. Raises BrokenStateError."""
        entry = self._all().get(server)
        if entry is None:
            return None
        try:
            process = entry["process"]
            identity = None if process is None else ProcessIdentity(int(process["pid"]), float(process["started_at"]))
            return ServerState(tuple(int(port) for port in entry["ports"]), identity)
        except (KeyError, TypeError, ValueError) as error:
            raise BrokenStateError(self.path) from error

    def write(self, server: str, state: ServerState) -> None:
        """Remember one server; the others' memory stays as it is."""
        process = state.process
        entry = {
            "ports": list(state.ports),
            "process": None if process is None else {"pid": process.pid, "started_at": process.started_at},
        }
        with self.exclusively():
            write_whole(self.path, json.dumps(self._all() | {server: entry}, indent=2))

    def _all(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BrokenStateError(self.path) from error
        if not isinstance(content, dict):
            raise BrokenStateError(self.path)
        return content


def write_whole(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Write a file so that readers, and we after a crash, see the old content or the new and nothing between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    half.replace(path)
