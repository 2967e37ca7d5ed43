"""The patches: what each breaks, and which tests must then fail (or, for the neutral one, still pass)."""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

FOLDER = Path(__file__).parent
_HEADER = re.compile(r"^(Mutant|Killed-by|Survives): (.+)$")


class Fate(Enum):
    """What must become of a mutant."""

    KILLED = "killed"
    ALIVE = "alive"


class BadPatchError(ValueError):
    """A patch does not say what it breaks or which test notices."""

    def __init__(self, path: Path, missing: str) -> None:
        super().__init__(f"{path.name}: expected a line `{missing}` before the diff")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One patch; `tests` are pytest's node ids."""

    path: Path
    title: str
    tests: tuple[str, ...]
    fate: Fate


def mutants() -> list[Mutant]:
    """Read every patch.

    Raises:
        BadPatchError: a patch lacks its header.
    """
    return [read(path) for path in sorted(FOLDER.glob("*.patch"))]


def read(path: Path) -> Mutant:
    """Read one patch's header: `Mutant: …` and one or more `Killed-by: …` (the neutral one: `Survives: …`)."""
    title, tests, fate = "", [], Fate.KILLED
    for line in path.read_text("utf-8").splitlines():
        if line.startswith(("diff ", "--- ")):
            break
        matched = _HEADER.match(line)
        if matched is None:
            continue
        if matched[1] == "Mutant":
            title = matched[2]
        else:
            tests.append(matched[2])
            fate = Fate.ALIVE if matched[1] == "Survives" else fate
    if not title:
        raise BadPatchError(path, "Mutant: …")
    if not tests:
        raise BadPatchError(path, "Killed-by: …")
    return Mutant(path, title, tuple(tests), fate)
