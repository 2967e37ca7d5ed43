"""The watcher of a temporary stack: waits until its owner has ended, then stops the servers and deletes their data."""

import sys
from pathlib import Path

from shared.local.processes import ProcessIdentity
from shared.local.stack import Stack

_LOOK = 3600.0  # seconds; a wait that runs out is begun anew


def watch(owner: ProcessIdentity, root: Path) -> None:
    """Return when the owner is gone and its servers are erased."""
    while not owner.wait_gone(_LOOK, poll=1.0):
        pass
    Stack(root, environment={}).erase()


if __name__ == "__main__":
    watch(ProcessIdentity(int(sys.argv[1]), float(sys.argv[2])), Path(sys.argv[3]))
