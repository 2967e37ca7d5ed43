"""Our own programs as processes that outlive the command: the services, what takes HTTP, and the mail server."""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import shared
from shared.local.ports import LOOPBACK, answers, free_ports, is_free
from shared.local.processes import ProcessIdentity, bare_environment, find_by_argument, launch, stop
from shared.local.readiness import wait_ready
from shared.local.state import ServerState, StateFile
from shared.local.status import Notify, ServerKind, ServerStatus, silent

_PACKAGES = Path(shared.__file__).parents[1]
READY_SECONDS = 60.0
STOP_STEPS = ((signal.SIGTERM, 28.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True, slots=True)
class Program:
    """One program: how to start it on its ports, and how to ask it whether it is well.

    The first port is where others speak to it, the last (the same, if there is but one) where it says how it is:
    `problem` asks there what is wrong, if anything. `command` makes the arguments after the interpreter.
    """

    name: str
    command: Callable[[Sequence[int]], list[str]]
    environment: Callable[[Sequence[int]], Mapping[str, str]]
    problem: Callable[[int], str | None]
    port_count: int = 1


class ProgramProcess:
    """One program of a root: found again by whoever comes next, on the port that it had before."""

    def __init__(self, root: Path, program: Program) -> None:
        self._root = root
        self._program = program
        self._state = StateFile(root)
        self.log = root / "logs" / f"{program.name}.log"

    @property
    def port(self) -> int | None:
        """Return the port that others speak to it at, or did."""
        ports = self._ports
        return ports[0] if ports else None

    @property
    def pages(self) -> str | None:
        """Return the address (host:port) at which it says how it is, or did."""
        ports = self._ports
        return f"{LOOPBACK}:{ports[-1]}" if ports else None

    @property
    def identity(self) -> ProcessIdentity | None:
        """Return the process, if it runs; also one that a killed command started and could not write down."""
        state = self._state.read(self._program.name)
        if state is not None and state.process is not None and state.process.alive():
            return state.process
        return next(iter(find_by_argument(self._marker)), None)

    @property
    def name(self) -> str:
        """Return the program's name."""
        return self._program.name

    @property
    def _ports(self) -> Sequence[int]:
        """Return its ports; none if it never had any, or had fewer in an older version."""
        state = self._state.read(self._program.name)
        return state.ports if state is not None and len(state.ports) == self._program.port_count else ()

    @property
    def _marker(self) -> str:
        # An option that Python keeps and ignores: it tells our process from one of another root.
        return f"rapport={self._root}/{self._program.name}"

    def start(self, notify: Notify = silent) -> None:
        """Start it unless it runs; `wait` tells when it is ready."""
        with self._state.exclusively():
            running, ports = self.identity, self._ports
            if running is not None and ports:
                self._state.write(self._program.name, ServerState(tuple(ports), running))
                return
            if running is not None:  # its ports were forgotten: nobody could tell whether it is ready
                stop(self._program.name, running, STOP_STEPS)
            notify(f"Starting {self._program.name} …")
            if not ports or not all(map(is_free, ports)):
                ports = free_ports(self._program.port_count)
            self._state.write(self._program.name, ServerState(tuple(ports), None))
            # Of the same tree as ourselves, whatever else is installed.
            environment = {**bare_environment(self._root), "PYTHONPATH": str(_PACKAGES)}
            environment |= self._program.environment(ports)
            command = [sys.executable, "-X", self._marker, *self._program.command(ports)]
            started = launch(command, log=self.log, environment=environment)
            self._state.write(self._program.name, ServerState(tuple(ports), started))

    def wait(self) -> None:
        """Return when it is ready.

        Raises:
            ServerStartError: it ended, or is not ready after a minute; the text ends in its log's tail.
        """
        state = self._state.read(self._program.name)
        identity = None if state is None else state.process
        ports = self._ports
        if identity is None or not ports:
            identity, ports = ProcessIdentity(0, 0), (0,)
        name = self._program.name
        wait_ready(
            name, identity, lambda: self._program.problem(ports[-1]) is None, log=self.log, seconds=READY_SECONDS
        )

    def status(self) -> ServerStatus:
        """Look at it."""
        identity, ports = self.identity, self._ports
        if identity is None or not ports:
            return ServerStatus(
                self._program.name, ServerKind.EMBEDDED, None, None, healthy=False, detail="not running"
            )
        problem = self._program.problem(ports[-1])
        return ServerStatus(
            self._program.name,
            ServerKind.EMBEDDED,
            f"{LOOPBACK}:{ports[0]}",
            identity.pid,
            healthy=problem is None,
            detail=problem or "",
        )

    def ask_to_stop(self) -> None:
        """Send SIGTERM and wait for nothing, so that several can finish side by side; `stop` waits."""
        identity = self.identity
        if identity is not None:
            identity.terminate()

    def stop(self) -> None:
        """Let it finish what it does, and end it after its grace if it does not."""
        identity = self.identity
        if identity is not None:
            stop(self._program.name, identity, STOP_STEPS)


def readiness_problem(port: int) -> str | None:
    """Ask a service's `/readyz`; None when it is ready, else what is not."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=5):
            return None
    except urllib.error.HTTPError as refused:
        try:
            checks = json.loads(refused.read()).get("checks", [])
        except ValueError:
            return f"HTTP {refused.code}"
        return "; ".join(str(check.get("reason")) for check in checks if check.get("status") != "ok")
    except OSError:
        return "it does not answer"


def smtp_problem(port: int) -> str | None:
    """Connect to the mail server."""
    return None if answers(port) else "it does not answer"
