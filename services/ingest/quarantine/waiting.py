"""Waiting until ingest has read what a replay sent, as long as something moves."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from services.ingest.quarantine.replays import Progress

PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Settled:
    """Ingest has read all of it."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing has moved for a while: ingest does not run, or is busy with what came before."""

    progress: Progress


Waited: TypeAlias = Settled | Stalled


def wait_until_settled(
    look: Callable[[], Progress],
    patience: float,
    notify: Callable[[Progress], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Waited:
    """Look again and again until nothing waits, or nothing has moved for `patience` seconds."""
    found, moved_at = look(), now()
    while found.waiting:
        notify(found)
        if now() - moved_at > patience:
            return Stalled(found)
        sleep(PAUSE_SECONDS)
        before, found = found, look()
        if found.waiting != before.waiting:
            moved_at = now()
    notify(found)
    return Settled(found)
