"""The end of a log file, and what is written to it from now on."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

POLL_SECONDS = 0.2
_BLOCK = 65_536


def lines(path: Path, last: int, *, follow: bool = False) -> Iterator[str]:
    """Yield the last lines of a file, then, if asked to follow, each whole line that is added, for ever.

    A file that was cut or replaced is read again from its start. Bytes that are no UTF-8 are replaced.
    """
    with path.open("rb") as source:
        tail, position = _tail(source, last, keep_open_line=follow)
    yield from tail
    while follow:
        added, position = _added(path, position)
        yield from added
        if not added:
            time.sleep(POLL_SECONDS)


def _tail(source: BinaryIO, last: int, *, keep_open_line: bool) -> tuple[list[str], int]:
    source.seek(0, 2)
    end = start = source.tell()
    found = b""
    while start and found.count(b"\n") <= last:
        step = min(_BLOCK, start)
        start -= step
        source.seek(start)
        found = source.read(step) + found
    whole, _, rest = found.rpartition(b"\n") if keep_open_line else (found.removesuffix(b"\n"), b"", b"")
    texts = whole.decode(errors="replace").split("\n") if whole else []
    return texts[-last:] if last else [], end - len(rest)


def _added(path: Path, position: int) -> tuple[list[str], int]:
    with path.open("rb") as source:
        source.seek(0, 2)
        if source.tell() < position:
            position = 0
        source.seek(position)
        whole, newline, _ = source.read().rpartition(b"\n")
    if not newline:
        return [], position
    return whole.decode(errors="replace").split("\n"), position + len(whole) + 1
