"""What people decide about who is one person, and what each decision says to the graph."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from services.profile.domain.census import Census
from services.profile.domain.links import Block, Link, Mark, Verdict, Word

DECISION = "decision:"
"""What the clock's keys of decisions begin with; their ids follow."""


class Kind(StrEnum):
    """What is decided."""

    MERGE = "merge"
    UNMERGE = "unmerge"
    SPLIT = "split"
    BLOCK = "block"
    UNBLOCK = "unblock"


class Decision(msgspec.Struct, frozen=True):
    """What somebody asked for, as `profile.decisions` has it.

    `identities` are, of a merge and an unmerge, the two ends; of a split, one who stays and then all who leave; of a
    block, the one. An unmerge that takes a merge back names it in `undoes`; any other keeps apart what events linked.
    """

    id: str
    decided_at: datetime
    kind: Kind
    identities: tuple[str, ...]
    undoes: str | None = None

    @property
    def mark(self) -> Mark:
        """Return where it stands among events and decisions."""
        return Mark(self.decided_at, self.id)


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A verdict on a pair."""

    one: str
    other: str
    verdict: Verdict


class Ruling(msgspec.Struct, frozen=True, array_like=True):
    """What a decision says to the graph, each at the decision's mark; that is all that a rebuild needs of it."""

    said: tuple[Said, ...] = ()
    blocked: tuple[tuple[str, bool], ...] = ()


class Applied(msgspec.Struct, frozen=True):
    """A decision and what came of it: whose each identity in it was and is.

    A split or an unmerge that finds nothing to part has an empty ruling; so has what was `refused`, with why.
    """

    decision: Decision
    ruling: Ruling
    before: dict[str, str]
    after: dict[str, str]
    refused: str | None = None


def rule(census: Census, decision: Decision) -> Applied:
    """Apply a decision to people who are here.

    Raises:
        IncompleteError: more must be read first.
    """
    before = _customers(census, decision)
    ruling = ruling_of(census, decision)
    enact(census, decision.mark, ruling)
    return Applied(decision, ruling, before, _customers(census, decision))


def decline(census: Census, decision: Decision, why: str) -> Applied:
    """Let everything be as it is, and keep the reason."""
    now = _customers(census, decision)
    return Applied(decision, Ruling(), now, now, why)


def enact(census: Census, mark: Mark, ruling: Ruling) -> None:
    """Say what a ruling says."""
    for said in ruling.said:
        census.say(said.one, said.other, Word(mark, said.verdict))
    for name, blocked in ruling.blocked:
        census.block(name, Block(mark, blocked))


def ruling_of(census: Census, decision: Decision) -> Ruling:
    """Tell what a decision says to the graph as it is now."""
    first, *rest = decision.identities
    match decision.kind:
        case Kind.MERGE:
            return Ruling((Said(first, rest[0], Verdict.TOGETHER),))
        case Kind.UNMERGE:
            return Ruling((Said(first, rest[0], Verdict.APART if decision.undoes is None else Verdict.FREE),))
        case Kind.SPLIT:
            return Ruling(tuple(Said(*link.pair, Verdict.APART) for link in _crossing(census, first, frozenset(rest))))
        case Kind.BLOCK:
            return Ruling(blocked=((first, True),))
        case Kind.UNBLOCK:
            return Ruling(blocked=((first, False),))


def _crossing(census: Census, stays: str, leaving: frozenset[str]) -> Iterator[Link]:
    census.gather((stays, *leaving))
    staying = census.people[stays].group.people - leaving
    for pair, link in sorted(census.links.items()):
        if len(leaving & set(pair)) == 1 and len(staying & set(pair)) == 1 and _may_hold(link):
            yield link


def _may_hold(link: Link) -> bool:
    verdict = None if link.word is None else link.word.verdict
    return verdict is Verdict.TOGETHER or (link.first is not None and verdict is not Verdict.APART)


def _customers(census: Census, decision: Decision) -> dict[str, str]:
    return {name: census.people[name].group.elder.id for name in decision.identities}
