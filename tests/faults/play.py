"""Playing rows: each in a world of its own, a row that breaks down is a row that failed."""

import shutil
import time
import traceback
from contextlib import suppress

from tests.faults.arena import Arena
from tests.faults.report import Played
from tests.faults.rows import Outcome, Row, what_fired


def play(arena: Arena, row: Row) -> Played:
    """Play one row; keeps its logs only if it failed."""
    started = time.monotonic()
    with arena.scene(row.subject, row.fault) as scene:
        try:
            outcome = row.play(scene)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row failed and the others go on
            (scene.folder / "error.txt").write_text(traceback.format_exc(), "utf-8")
            outcome = Outcome(what_fired(scene), scene.fences() or "no", "an end", [f"{type(error).__name__}: {error}"])
        folder = scene.folder
        if outcome.differences:
            with suppress(Exception):  # a broken server has no tables to show
                scene.keep_evidence()
    if not outcome.differences:
        shutil.rmtree(folder)
    return Played(row, outcome, time.monotonic() - started, folder)
