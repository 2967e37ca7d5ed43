"""Server processes that outlive us, known by pid and start time so that a stranger's is never touched."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.local.errors import ServerStopError

_SAME_START = 1.0  # seconds; the kernel counts in ticks, and its boot time is rounded
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's account that a process runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, not whoever has its pid later: pid and start time (seconds since the epoch)."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Read the identity of a running process; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def process(self) -> psutil.Process | None:
        """Find the process; None when it is gone, a zombie, or when its pid belongs to a stranger now."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started_at) <= _SAME_START
            return found if same and not is_over(found) else None
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Tell whether it still runs (a stopped one does)."""
        return self.process() is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process; nothing when it is gone."""
        found = self.process()
        if found is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.send_signal(number)

    def send_to_tree(self, number: signal.Signals) -> None:
        """Send a signal to this process and to all its children."""
        found = self.process()
        if found is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in [found, *found.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM; nothing when it is gone."""
        self.send(signal.SIGTERM)

    def wait_gone(self, seconds: float, *, poll: float = _POLL) -> bool:
        """Wait until it has ended; False when it has not after so many seconds."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(poll)
        return True


def is_over(process: psutil.Process) -> bool:
    """Tell whether a process is a zombie that holds nothing any more.

    A killed process of many threads (Java) is a zombie by name while its last threads still hold its ports.
    """
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def find_by_argument(argument: str) -> list[ProcessIdentity]:
    """Find the processes that have exactly this argument on their command line (ours mark themselves so)."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if argument in each.cmdline() and not is_over(each):
                found.append(ProcessIdentity(each.pid, each.create_time()))
    return found


def launch(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], account: Account | None = None
) -> ProcessIdentity | None:
    """Start a process in a session of its own that outlives us, its output appended to the log.

    It becomes a child of init (a shell starts it and ends), so that we leave neither a zombie nor an unwaited child
    behind. Returns None when it ended at once.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        shell = subprocess.run(  # noqa: S603 - our own command, no shell expands its arguments
            ["/bin/sh", "-c", '"$@" >&2 </dev/null & echo $!', "sh", *command],
            stdout=subprocess.PIPE,
            stderr=sink,
            stdin=subprocess.DEVNULL,
            cwd="/",  # the account may not enter our folder, and a server should hold no folder
            env=dict(environment),
            start_new_session=True,
            check=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else [],
        )
    return ProcessIdentity.of(int(shell.stdout))


def bare_environment(temporary: Path) -> dict[str, str]:
    """Give servers an environment without the caller's: no PGDATA, JAVA_TOOL_OPTIONS or secrets leak into them."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "TMPDIR": str(temporary)}


def stop(server: str, identity: ProcessIdentity, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a process: each signal in turn, with the seconds that it may take.

    A stopped (SIGSTOP) process is continued, else it could not obey. Raises ServerStopError when it outlives all.
    """
    for number, seconds in steps:
        identity.send(number)
        identity.send_to_tree(signal.SIGCONT)
        if identity.wait_gone(seconds):
            return
    raise ServerStopError(server, identity.pid)


def tail(log: Path, lines: int = 25) -> str:
    """Read the last lines of a log, at most 64 kB."""
    try:
        with log.open("rb") as source:
            source.seek(0, os.SEEK_END)
            source.seek(max(0, source.tell() - 65536))
            text = source.read().decode(errors="replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty)"
