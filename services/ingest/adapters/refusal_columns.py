"""What is wrong with an event, as columns of the quarantine: written when it is refused, and anew with each refusal."""

from collections.abc import Sequence
from typing import LiteralString

from services.ingest.domain.causes import cause_of
from services.ingest.domain.reading import Refused
from services.ingest.domain.replaying import StillBad
from shared.runtime.arrays import BinaryArray, texts

REFUSAL: LiteralString = "source, stage, reason, path, expected, found, event, cause"
REFUSED_ANEW: LiteralString = """
    source = r.source, stage = r.stage, reason = r.reason, path = r.path, expected = r.expected, found = r.found,
    event = r.event, cause = r.cause
"""
"""The same columns, set from rows that are called `r`."""


def refusals(refused: Sequence[Refused | StillBad]) -> tuple[BinaryArray, ...]:
    """Return an array for each of the columns, in their order."""
    problems = [one.problem for one in refused]
    return (
        texts([one.source for one in refused]),
        texts([problem.stage.value for problem in problems]),
        texts([problem.reason.value for problem in problems]),
        texts([problem.path for problem in problems]),
        texts([problem.expected for problem in problems]),
        texts([problem.found for problem in problems]),
        texts([one.event for one in refused]),
        texts([cause_of(one.source, one.problem, one.event) for one in refused]),
    )
