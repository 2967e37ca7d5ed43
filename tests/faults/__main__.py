"""`python -m tests.faults`: play the matrix, print a row each, exit with 1 on any difference."""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from shared.local.temporary import temporary_stack
from tests.faults.arena import Arena
from tests.faults.matrix import matrix
from tests.faults.play import play
from tests.faults.report import Report


def main() -> int:
    options = _options()
    rows = [
        row
        for row in matrix()
        if options.only in row.name and (options.service is None or row.subject.stage.service == options.service)
    ]
    console = Console(stderr=False)
    if options.list:
        for row in rows:
            console.print(row.name, highlight=False)
        return 0
    signal.signal(signal.SIGTERM, _leave)
    folder = Path(tempfile.mkdtemp(prefix="rapport-faults-"))
    report = Report(console, as_json=options.json)
    report.begin(len(rows), folder)
    started = time.monotonic()
    with temporary_stack(folder / "stack") as stack:
        addresses = stack.addresses()
        assert addresses is not None
        arena = Arena(addresses.kafka, addresses.database_url, folder, stack)
        for row in rows:
            report.add(play(arena, row))
    ok = report.end(time.monotonic() - started)
    if ok:
        shutil.rmtree(folder)
    return 0 if ok else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="play rows whose name holds this text")
    parser.add_argument("--service", help="play the rows of one service")
    parser.add_argument("--list", action="store_true", help="name the rows and play none")
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    return parser.parse_args()


def _leave(_number: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does: every block on the way out ends what it started.
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
