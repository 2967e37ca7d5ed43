"""A cause groups refusals that one fix can mend: the same thing wrong, at the same place, with the same sender."""

import re
from hashlib import sha256

from services.ingest.domain.problems import Problem

_INDEX = re.compile(r"/[0-9]+(?=/|$)")
_NUMBER = re.compile(r"[0-9]+")
_DIGITS = 12
CAUSE = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")
"""What a cause's id looks like."""


def folded(path: str) -> str:
    """Return a JSON pointer with every array index as `*`: which of the items was wrong tells no cause apart."""
    return _INDEX.sub("/*", path)


def cause_of(source: str, problem: Problem, event: str | None) -> str:
    """Name a refusal's cause: 12 hexadecimal digits, the same for the same cause on each day and in each process.

    Numbers in what was found (bytes, characters) are no part of it, and neither are array indices in the path.
    """
    parts = (
        source,
        problem.stage.value,
        problem.reason.value,
        folded(problem.path),
        problem.expected,
        _NUMBER.sub("#", problem.found),
        event or "",
    )
    return sha256("\x1f".join(parts).encode()).hexdigest()[:_DIGITS]
