"""A row of the matrix: what is done to a service, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.scene import Scene
from tests.faults.subjects import Subject

AS_EXPECTED = "the same"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row found: `fired` says what happened to which process, `fenced` whether the fence acted."""

    fired: str
    fenced: str
    expected: str
    differences: list[str] = field(default_factory=list)

    @property
    def found(self) -> str:
        """Say in one line what was found."""
        if not self.differences:
            return AS_EXPECTED
        more = f" (and {len(self.differences) - 1} more)" if len(self.differences) > 1 else ""
        return self.differences[0] + more


@dataclass(frozen=True, slots=True)
class Row:
    """One fault in one service."""

    subject: Subject
    fault: str
    play: Callable[[Scene], Outcome]

    @property
    def name(self) -> str:
        """Return the name that `--only` looks in."""
        return f"{self.subject.stage.service} {self.fault}"


def outcome(scene: Scene, fired: str, *, more: list[str] | None = None) -> Outcome:
    """Settle, compare, and say what was expected."""
    scene.settle()
    differences = [*(more or []), *scene.differences()]
    sent = scene.ledger.copy()
    unique = len({record.id for record in sent if not record.poison})
    poison = sum(record.poison for record in sent)
    return Outcome(
        fired,
        scene.fences() or "no",
        f"{unique} of {len(sent)} once, {poison} dead",
        differences,
    )


def what_fired(scene: Scene) -> str:
    """Say which processes passed which failpoints."""
    return ", ".join(f"{one['process']} {one['point']} {one['action']}" for one in scene.fired()) or "nothing"
