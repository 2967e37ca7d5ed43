"""The report: a line a row as it finishes, and a last line that sums up."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tests.faults.rows import Outcome, Row


@dataclass(frozen=True, slots=True)
class Played:
    """A row that was played: its outcome, how long it took, and where its logs are."""

    row: Row
    outcome: Outcome
    seconds: float
    evidence: Path

    @property
    def ok(self) -> bool:
        """Tell whether all was as expected."""
        return not self.outcome.differences


class Report:
    """Prints for people, or one JSON object a row."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json
        self.played: list[Played] = []

    def begin(self, rows: int, where: Path) -> None:
        """Say what will be played."""
        if not self._as_json:
            self._console.print(f"{rows} rows; logs of those that fail stay in {where}")
            self._console.print(f"{'':4} {'service and fault':34} {'s':>5}  fired | fenced | expected | found")

    def add(self, played: Played) -> None:
        """Print a row."""
        self.played.append(played)
        outcome = played.outcome
        if self._as_json:
            line = {
                "service": played.row.subject.stage.service,
                "fault": played.row.fault,
                "ok": played.ok,
                "seconds": round(played.seconds, 1),
                **asdict(outcome),
                "found": outcome.found,
                "evidence": None if played.ok else str(played.evidence),
            }
            self._console.print(json.dumps(line), markup=False, highlight=False, soft_wrap=True)
            return
        mark = "[green]ok[/]  " if played.ok else "[red]FAIL[/]"
        cells = " | ".join(map(escape, (outcome.fired, outcome.fenced, outcome.expected, outcome.found)))
        self._say(f"{mark} {played.row.name:34} {played.seconds:5.1f}  {cells}")
        if not played.ok:
            for difference in outcome.differences:
                self._say(f"       {escape(difference)}")
            self._say(f"       logs: {played.evidence}")

    def end(self, seconds: float) -> bool:
        """Print the sum; tells whether every row was as expected."""
        failed = [played.row.name for played in self.played if not played.ok]
        if self._as_json:
            summed = {"rows": len(self.played), "failed": failed, "seconds": round(seconds, 1)}
            self._console.print(json.dumps(summed), markup=False, highlight=False, soft_wrap=True)
        else:
            verdict = f"[red]{len(failed)} differ: {', '.join(failed)}[/]" if failed else "[green]all as expected[/]"
            self._say(f"{len(self.played)} rows in {seconds:.0f} s: {verdict}")
        return not failed and bool(self.played)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)
