"""Mending a group: a patch is tried on each of its events, and what comes of it is kept beside the original."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import LiteralString, TypeAlias

import msgspec
from psycopg import Connection

from services.ingest.adapters.refusal_columns import REFUSAL, REFUSED_ANEW, refusals
from services.ingest.domain.mending import Headers, Mended, Patch, Unmended
from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader
from services.ingest.domain.replaying import Acceptable, Empty, Kept, StillBad, judge
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.selecting import MENDABLE, OfCause, extent, page
from shared.runtime.arrays import byteas, int8s

EXAMPLES = 5
_MOST_REASONS = 20
_EMPTY = "no event is left in it: discard it instead"

_KEEP_FIXED: LiteralString = """
    UPDATE quarantine AS q SET state = 'fixed', mended = m.value, mended_headers = m.headers,
        mended_at = clock_timestamp()
    FROM unnest(%s, %s, %s) AS m (id, value, headers) WHERE q.id = m.id
"""
_KEEP_STILL_BAD: LiteralString = f"""
    UPDATE quarantine AS q SET state = 'open', mended = r.value, mended_headers = r.headers,
        mended_at = clock_timestamp(), {REFUSED_ANEW}
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS r (id, value, headers, {REFUSAL})
    WHERE q.id = r.id
"""  # noqa: S608 - ours


class Origin(Enum):
    """What the patch is applied to: the event as it was mended before, or as it was sent."""

    MENDED = "mended"
    ORIGINAL = "original"


class Mode(Enum):
    """Whether the result is kept or only told."""

    DRY_RUN = "dry_run"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done."""

    cause: str
    patch: Patch
    origin: Origin = Origin.MENDED
    mode: Mode = Mode.KEEP
    examples: int = EXAMPLES


@dataclass(frozen=True, slots=True)
class Example:
    """One event before and after the patch; `then` is what would be wrong still, in words, if anything."""

    entry: int
    before: bytes | None
    after: bytes | None
    headers_before: Headers
    headers_after: Headers
    then: str | None


@dataclass(slots=True)
class StillCause:
    """A cause under which events would be refused after the patch."""

    cause: str
    problem: Problem
    example: int
    events: int = 0


@dataclass(slots=True)
class Report:
    """What came of the patch, added up while it is tried."""

    entries: int
    accepted: int = 0
    still_bad: dict[str, StillCause] = field(default_factory=dict)
    unmended: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def failing(self) -> int:
        """Count the events that the patch does not make acceptable."""
        return sum(still.events for still in self.still_bad.values()) + self.unmended.total()

    @property
    def done(self) -> int:
        """Count the events that were tried."""
        return self.accepted + self.failing


_Fixed: TypeAlias = tuple[Kept, Mended]
_StillBad: TypeAlias = tuple[Kept, Mended, StillBad]


def fix(
    connection: Connection, reader: Reader, order: Order, actor: str, notify: Callable[[Report], None] = lambda _: None
) -> Report:
    """Try a patch on every open or mended event of a cause, and unless it is a dry run keep what comes of it.

    An event that would be accepted is marked fixed; one that would still be refused is kept as the patch left it, under
    its new cause; one that the patch cannot be applied to stays as it is. The original is never touched. A transaction
    a page: one that is stopped has mended some. `notify` is told after each page.
    """
    scope = OfCause(order.cause)
    meant = extent(connection, scope, MENDABLE)
    report, after = Report(meant.entries), 0
    while True:
        with connection.transaction():
            entries = page(connection, scope, MENDABLE, after, meant.upto)
            if not entries:
                return report
            fixed, still_bad = _tried(entries, reader, order, report)
            if order.mode is Mode.KEEP:
                _keep(connection, order, actor, fixed, still_bad)
        after = entries[-1].id
        notify(report)


def _tried(
    entries: Sequence[Kept], reader: Reader, order: Order, report: Report
) -> tuple[list[_Fixed], list[_StillBad]]:
    fixed: list[_Fixed] = []
    still_bad: list[_StillBad] = []
    for kept in entries:
        whole = order.origin is Origin.ORIGINAL
        value, headers = (kept.original, kept.headers) if whole else (kept.value, kept.current_headers)
        mended = order.patch.apply(value, headers)
        if isinstance(mended, Unmended):
            _count_unmended(report, mended.why)
            _show(report, order, Example(kept.id, value, None, headers, (), mended.why))
            continue
        verdict = judge(msgspec.structs.replace(kept, mended=mended.value, mended_headers=mended.headers), reader)
        match verdict:
            case Acceptable():
                report.accepted += 1
                fixed.append((kept, mended))
                then = None
            case Empty():
                _count_unmended(report, _EMPTY)
                then = _EMPTY
            case StillBad(problem):
                still_bad.append((kept, mended, verdict))
                still = report.still_bad.setdefault(verdict.cause, StillCause(verdict.cause, problem, kept.id))
                still.events += 1
                then = told(problem)
        _show(report, order, Example(kept.id, value, mended.value, headers, mended.headers, then))
    return fixed, still_bad


def told(problem: Problem) -> str:
    """Say a problem in a line."""
    place = problem.path or "the event"
    return f"{problem.reason.value} at {place}: expected {problem.expected}, found {problem.found}"


def _count_unmended(report: Report, why: str) -> None:
    """Count by reason; reasons name parts of events, so that there may be as many as events."""
    known = why in report.unmended or len(report.unmended) < _MOST_REASONS
    report.unmended[why if known else "other reasons"] += 1


def _show(report: Report, order: Order, example: Example) -> None:
    if len(report.examples) < order.examples:
        report.examples.append(example)


def _keep(
    connection: Connection, order: Order, actor: str, fixed: Sequence[_Fixed], still_bad: Sequence[_StillBad]
) -> None:
    if fixed:
        connection.execute(_KEEP_FIXED, _mended(fixed))
    if still_bad:
        mended = _mended([(kept, mended) for kept, mended, _ in still_bad])
        connection.execute(_KEEP_STILL_BAD, (*mended, *refusals([verdict for *_, verdict in still_bad])))
    changed = [kept.id for kept, _ in fixed] + [kept.id for kept, *_ in still_bad]
    detail = {"patch": order.patch.outline(), "origin": order.origin.value, "fixed": len(fixed)}
    note(connection, actor, Action.FIX, order.cause, changed, detail)


def _mended(pairs: Sequence[_Fixed]) -> tuple[object, ...]:
    return (
        int8s([kept.id for kept, _ in pairs]),
        byteas([mended.value for _, mended in pairs]),
        byteas([msgspec.msgpack.encode(list(mended.headers)) for _, mended in pairs]),
    )
