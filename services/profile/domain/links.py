"""Identities and what links them, as values that join: what a set of events says of them, in whatever order."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Mark(NamedTuple):
    """Where an event or a decision stands among all: by its time, then by its id."""

    at: datetime
    message_id: str
    source: str = ""


class Cause(StrEnum):
    """What made a link."""

    EVENT = "event"
    ALIAS = "alias"
    MANUAL = "manual"


class Verdict(StrEnum):
    """What people decided about two identities: they belong together, they do not, or let the events say."""

    TOGETHER = "together"
    APART = "apart"
    FREE = "free"


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A person's decision about a pair; the last one by `mark` counts, whenever it arrives."""

    mark: Mark
    verdict: Verdict


class Block(msgspec.Struct, frozen=True, array_like=True):
    """A person's decision that an identity stands for nobody, or no longer; the last one by `mark` counts."""

    mark: Mark
    blocked: bool


class SignIn(msgspec.Struct, frozen=True, array_like=True):
    """Who signed in on a device: the last one, and whether it was always the same (`least` is `greatest`)."""

    mark: Mark
    last: str
    least: str
    greatest: str

    @property
    def shared(self) -> bool:
        """Tell whether several people signed in."""
        return self.least != self.greatest


class Node(msgspec.Struct, frozen=True, array_like=True):
    """An identity: `partners` counts the identities that events named together with it, `first_at` is its first event.

    `signed_in` is known of devices that somebody signed in on.
    """

    id: str
    kind: str
    first_at: datetime
    partners: int = 0
    stands_for_nobody: bool = False
    block: Block | None = None
    signed_in: SignIn | None = None

    @property
    def blocked(self) -> bool:
        """Tell whether it is kept out by the rules or by a person."""
        return self.stands_for_nobody if self.block is None else self.block.blocked


class Link(msgspec.Struct, frozen=True, array_like=True):
    """What is known about two identities, `a` before `b`: the first and last event that named both, and a decision."""

    a: str
    b: str
    first: Mark | None = None
    last: Mark | None = None
    cause: Cause = Cause.EVENT
    word: Word | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Return both ids in order."""
        return self.a, self.b


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """One event names two identities."""

    a: str
    b: str
    mark: Mark
    cause: Cause = Cause.EVENT


def edge(one: str, other: str, mark: Mark, cause: Cause = Cause.EVENT) -> Edge:
    """Make the edge of two different identities, in order."""
    return Edge(min(one, other), max(one, other), mark, cause)


def seen(link: Link | None, seen: Edge) -> Link:
    """Return the link with an event more; the first event tells the cause."""
    if link is None:
        return Link(seen.a, seen.b, seen.mark, seen.mark, seen.cause)
    first, last, cause = link.first, link.last, link.cause
    if first is None or (seen.mark, seen.cause) < (first, cause):
        first, cause = seen.mark, seen.cause
    if last is None or seen.mark > last:
        last = seen.mark
    if first is link.first and last is link.last and cause is link.cause:
        return link
    return Link(link.a, link.b, first, last, cause, link.word)


def decided(link: Link | None, pair: tuple[str, str], word: Word) -> Link:
    """Return the link with a decision more; of two at one mark, the one that keeps apart counts."""
    if link is None:
        return Link(min(pair), max(pair), word=word)
    if link.word is not None and _weight(link.word) >= _weight(word):
        return link
    return msgspec.structs.replace(link, word=word)


def blocking(node: Node, block: Block) -> Node:
    """Return the identity with a decision more about whether it stands for anybody."""
    known = node.block
    if known is not None and (known.mark, known.blocked) >= (block.mark, block.blocked):
        return node
    return msgspec.structs.replace(node, block=block)


def signing_in(known: SignIn | None, person: str, mark: Mark) -> SignIn:
    """Return who signed in on a device, with one sign-in more."""
    if known is None:
        return SignIn(mark, person, person, person)
    last = max((known.mark, known.last), (mark, person))
    least, greatest = min(known.least, person), max(known.greatest, person)
    if last == (known.mark, known.last) and (least, greatest) == (known.least, known.greatest):
        return known
    return SignIn(*last, least, greatest)


def _weight(word: Word) -> tuple[Mark, int]:
    return word.mark, (Verdict.FREE, Verdict.TOGETHER, Verdict.APART).index(word.verdict)
