"""What a killed PostgreSQL leaves: backends that end a moment later, and a lock file that names a dead process."""

import contextlib
import time
from pathlib import Path

import psutil

from shared.local.processes import is_over

_GRACE = 2.0  # seconds; backends notice the death of their parent at once unless they are stopped
_POLL = 0.05


def clear_remains(data: Path) -> None:
    """Make a data folder ready for a start after its server was killed. The server must not run.

    First no process of the killed one may be left: PostgreSQL's own guard against two servers on one folder is the
    lock file that is then removed. It must be removed: a zombie, or a stranger with its pid, counts as alive there.
    """
    deadline = time.monotonic() + _GRACE
    while left := _working_in(data):
        if time.monotonic() > deadline:
            for each in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
        time.sleep(_POLL)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(data: Path) -> list[psutil.Process]:
    """Find the server's processes of this folder: each makes the data folder its current one."""
    found = []
    for each in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if each.name() == "postgres" and each.cwd() == str(data.resolve()) and not is_over(each):
                found.append(each)
    return found
