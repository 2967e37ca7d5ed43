"""Progress of a long run on standard error: bars for people, a line now and then where nobody looks."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shared.demo.settling import Standing

SAY_EVERY_SECONDS = 5.0


class Narrator:
    """Tells what happens. Standard output stays free for the result."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = sys.stderr.isatty()
        self._progress: Progress | None = None
        self._bars: dict[str, TaskID] = {}
        self._standings: dict[str, str] = {}
        self._said_at = 0.0
        self.seconds: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False)

    @contextmanager
    def phase(self, name: str, title: str) -> Iterator[None]:
        """Time a phase under its name; bars that are drawn in it go with it."""
        self.say(title)
        start = time.monotonic()
        columns = (TextColumn("  {task.description:<11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, disable=not self._live, transient=True) as progress:
            self._progress, self._bars, self._standings = progress, {}, {}
            self._said_at = time.monotonic()
            try:
                yield
            finally:
                self._progress = None
        self.seconds[name] = round(time.monotonic() - start, 1)

    def step(self, bar: str, completed: int, total: int) -> None:
        """Move a bar."""
        if self._progress is not None and self._live:
            if bar not in self._bars:
                self._bars[bar] = self._progress.add_task(bar, total=total)
            self._progress.update(self._bars[bar], completed=completed, total=total)
        else:
            self._standings[bar] = f"{bar} {completed:,} of {total:,}"
            if time.monotonic() - self._said_at > SAY_EVERY_SECONDS:
                self._said_at = time.monotonic()
                self.say("  " + " | ".join(self._standings.values()))

    def stand(self, service: str, standing: Standing) -> None:
        """Show how far a service is."""
        self.step(service, min(standing.read, standing.total), standing.total)
