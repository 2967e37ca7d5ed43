"""What both embedded servers have in common: ports remembered, one process, found again by whoever comes next."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from shared.local.errors import LocalStackError, PortTakenError, ServerStartError
from shared.local.ports import LOOPBACK, answers, free_ports, holder, is_free
from shared.local.processes import ProcessIdentity, find_by_argument, stop, tail
from shared.local.readiness import wait_ready
from shared.local.space import require_space
from shared.local.state import ServerState, StateFile
from shared.local.status import Notify, ServerKind, ServerStatus, silent

_FRESH_TRIES = 3


class EmbeddedServer(ABC):
    """A server of one root. Any number of these objects may stand for it; what is true is on disk.

    All methods are synchronous; they may be called from any process of the same user, also after the one that started
    the server was killed.
    """

    name: str
    ports_needed: int
    start_seconds: float

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.state = StateFile(self.root)
        self.log = self.root / "logs" / f"{self.name}.log"

    # What the two differ in.
    @property
    @abstractmethod
    def address(self) -> str | None:
        """Give what clients connect to; None before the first start."""

    @property
    @abstractmethod
    def marker(self) -> str:
        """Give the argument on the process's command line that nobody else has."""

    @abstractmethod
    def prepare(self, ports: Sequence[int], notify: Notify) -> None:
        """Bring files into the state that a start needs; keeps data that are there."""

    @abstractmethod
    def spawn(self, ports: Sequence[int]) -> ProcessIdentity | None:
        """Start the process; None when it ended at once."""

    @abstractmethod
    def problem(self) -> str | None:
        """Ask the server whether it works; None when it does."""

    @abstractmethod
    def settle(self) -> None:
        """Do what is left once the server answers."""

    @abstractmethod
    def erase(self) -> None:
        """Stop it and delete its data; the log stays."""

    @abstractmethod
    def stop_steps(self) -> Sequence[tuple[signal.Signals, float]]:
        """Give the signals that end it, with the seconds that each may take."""

    # What they share.
    @property
    def port(self) -> int | None:
        """The port on 127.0.0.1; None before the first start."""
        remembered = self.state.read(self.name)
        return None if remembered is None else remembered.ports[0]

    def process(self) -> ProcessIdentity | None:
        """Find the running process, also one that a killed parent started and could not write down."""
        remembered = self.state.read(self.name)
        if remembered is not None and remembered.process is not None and remembered.process.alive():
            return remembered.process
        return next(iter(find_by_argument(self.marker)), None)

    def start(self, notify: Notify = silent) -> None:
        """Start unless it runs already, and return when it answers.

        The ports are those of the last time. Raises PortTakenError when somebody else has them, ServerStartError with
        the tail of the log, DiskFullError.
        """
        with self.state.exclusively():
            running = self.process()
            if running is not None and self.port is not None:
                self._await(running)
                self.state.write(self.name, ServerState(self._ports(), running))
                return
            if running is not None:  # its ports were forgotten: it can't be told where it listens
                stop(self.name, running, self.stop_steps())
            self._start(notify)

    def _start(self, notify: Notify) -> None:
        remembered = self._ports()
        require_space(self.root)
        notify(f"Starting {self.name} …")
        for port in remembered:
            if not is_free(port):
                raise PortTakenError(self.name, port, holder(port), self.state.path)
        for attempt in range(1, _FRESH_TRIES + 1):
            ports = remembered or tuple(free_ports(self.ports_needed))
            self.prepare(ports, notify)
            self.state.write(self.name, ServerState(ports, None))  # before its process, which asks for its port
            try:
                self._launch(ports)
            except ServerStartError:
                # Somebody may have taken a fresh port between our look and the server's.
                if remembered or attempt == _FRESH_TRIES or all(is_free(port) for port in ports):
                    raise
            else:
                notify(f"{self.name} answers at {LOOPBACK}:{ports[0]}")
                return

    def _launch(self, ports: tuple[int, ...]) -> None:
        identity = self.spawn(ports)
        if identity is None:
            raise self.start_error("its process ended at once")
        self.state.write(self.name, ServerState(ports, identity))
        self._await(identity)

    def _await(self, identity: ProcessIdentity) -> None:
        wait_ready(self.name, identity, self._answers, log=self.log, seconds=self.start_seconds)
        self.settle()

    def _answers(self) -> bool:
        port = self.port
        return port is not None and answers(port) and self.problem() is None

    def stop(self) -> None:
        """Stop it in good order; by force when it does not obey. Nothing when it does not run."""
        with self.state.exclusively():
            self._end(self.stop_steps())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the server's main process; for SIGKILL, return when it is gone."""
        running = self.process()
        if running is None:
            return
        if number is signal.SIGKILL:
            stop(self.name, running, [(number, 10.0)])
        else:
            running.send(number)

    def restart(self, notify: Notify = silent) -> None:
        """Stop and start, with the same data and ports."""
        self.stop()
        self.start(notify)

    def pause(self) -> None:
        """Stop it from running (SIGSTOP), with its children: connections stay open, nothing answers."""
        running = self.process()
        if running is not None:
            running.send_to_tree(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run again after `pause`; a broker paused past its session needs a moment to register anew."""
        running = self.process()
        if running is not None:
            running.send_to_tree(signal.SIGCONT)

    def running(self) -> bool:
        """Tell whether it has a process, without asking it."""
        return self.process() is not None

    def status(self) -> ServerStatus:
        """Look at the process and ask it; takes a few seconds when it hangs."""
        running, port = self.process(), self.port
        if running is None:
            detail = "not running" if port is not None else "never started"
        elif port is None:
            detail = "it runs and its port was forgotten: start it again"
        elif not answers(port):
            detail = "its port is closed"
        else:
            detail = self._complaint()
        where = None if port is None else f"{LOOPBACK}:{port}"
        pid = None if running is None else running.pid
        return ServerStatus(self.name, ServerKind.EMBEDDED, where, pid, healthy=not detail, detail=detail)

    def _complaint(self) -> str:
        try:
            return self.problem() or ""
        except LocalStackError as error:
            return str(error)

    def start_error(self, reason: str) -> ServerStartError:
        """Build the error that shows the log's tail."""
        return ServerStartError(self.name, reason, self.log, tail(self.log))

    def _end(self, steps: Sequence[tuple[signal.Signals, float]]) -> None:
        running = self.process()
        if running is not None:
            stop(self.name, running, steps)
        ports = self._ports()
        if ports:
            self.state.write(self.name, ServerState(ports, None))

    def _ports(self) -> tuple[int, ...]:
        remembered = self.state.read(self.name)
        return () if remembered is None else remembered.ports
