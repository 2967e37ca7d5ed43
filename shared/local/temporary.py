"""A stack for the length of a block, gone afterwards, even if the process that wanted it is killed."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import shared
from shared.local.processes import ProcessIdentity, bare_environment, launch
from shared.local.stack import Stack
from shared.local.status import Notify, silent

_PACKAGES = Path(shared.__file__).parents[1]


@contextmanager
def temporary_stack(
    folder: Path, *, environment: Mapping[str, str] | None = None, notify: Notify = silent
) -> Iterator[Stack]:
    """Start fresh servers in a folder; stop them and delete their data at the end. Their logs stay in the folder.

    Without an environment both are embedded, whatever the process's variables say: they can be killed and paused. A
    watching process does the same should this one be killed. Raises LocalStackError.
    """
    stack = Stack(folder, environment=environment or {})
    folder.mkdir(parents=True, exist_ok=True)
    watcher = _watch(folder)
    try:
        stack.up(notify=notify)
        yield stack
    finally:
        stack.erase()
        if watcher is not None:
            watcher.terminate()


def _watch(folder: Path) -> ProcessIdentity | None:
    own = ProcessIdentity.of(os.getpid())
    if own is None:
        return None
    command = [sys.executable, "-m", "shared.local.watch", str(own.pid), repr(own.started_at), str(folder.absolute())]
    environment = {**bare_environment(folder), "PYTHONPATH": os.pathsep.join([str(_PACKAGES), *filter(None, sys.path)])}
    return launch(command, log=folder / "logs" / "watch.log", environment=environment)
