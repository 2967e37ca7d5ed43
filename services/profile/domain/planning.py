"""From what somebody asks for to a decision: between which identities, and what it would undo; or why it cannot be."""

from collections.abc import Callable, Sequence

import msgspec

from services.profile.domain.census import Census
from services.profile.domain.decisions import Kind
from services.profile.domain.graph import seniority
from services.profile.domain.holdings import Group
from services.profile.domain.links import Link, Verdict


class RefusedError(ValueError):
    """What is asked for makes no sense of these people; the text says why, in words for whoever asked."""


class Plan(msgspec.Struct, frozen=True):
    """What a decision is to say: its kind, whom it is about in the decision's own order, and what it takes back.

    The first of `parted` is to be no customer of the others.
    """

    kind: Kind
    identities: tuple[str, ...]
    undoes: str | None = None
    parted: tuple[str, ...] = ()


Choice = Callable[[Census], Sequence[Plan]]
"""Finds, among people, the plans that would do what is asked for, the best first."""


def merge(one: str, other: str) -> Choice:
    """Make two customers one: the eldest of both belong together, whatever the limits are."""

    def choose(census: Census) -> Sequence[Plan]:
        census.gather((one, other))
        groups = [census.people[name].group for name in (one, other)]
        if groups[0] is groups[1]:
            raise RefusedError("They are one customer already.")
        elders = tuple(group.elder.id for group in groups)
        if any(census.people[name].node.blocked for name in elders):
            raise RefusedError("One of them is blocked, so that it is linked with nobody: unblock it first.")
        return (Plan(Kind.MERGE, elders),)

    return choose


def unmerge(one: str, other: str | None) -> Choice:
    """Take back the last merge by hand that holds a customer together, or keep apart what events linked.

    Without `other`, the last merge in the customer of `one`.
    """

    def choose(census: Census) -> Sequence[Plan]:
        census.gather((one,))
        group = census.people[one].group
        if other is not None and census.people[other].group is not group:
            raise RefusedError("They are two customers already.")
        merged = [link for link in _inside(census, group) if _by_hand(link)]
        merged.sort(key=lambda link: (other is not None and set(link.pair) == {one, other}, _said_at(link)))
        plans = [_undo(link, (one, other) if other is not None else link.pair) for link in reversed(merged)]
        if other is None:
            if not plans:
                raise RefusedError("Nobody merged this customer by hand: name two identities that events linked.")
            return plans[:1]
        direct = census.links.get((min(one, other), max(one, other)))
        if direct is not None and direct.first is not None and not _apart(direct):
            plans.append(Plan(Kind.UNMERGE, direct.pair, None, direct.pair))
        if not plans:
            raise RefusedError(
                "No event named them together and nobody merged them, others link them: `explain` shows who, and "
                "`split` parts one from all."
            )
        return plans

    return choose


def undo(decision_id: str, pair: Sequence[str]) -> Choice:
    """Take back one merge by hand."""

    def choose(census: Census) -> Sequence[Plan]:
        link = census.links.get((min(pair), max(pair)))
        if link is None or not _by_hand(link) or _undo(link, link.pair).undoes != decision_id:
            raise RefusedError("That merge does not hold any more: somebody decided about the two since.")
        return (_undo(link, link.pair),)

    return choose


def split(stays: str, leaving: Sequence[str]) -> Choice:
    """Let identities leave a customer: every link between them and those who stay is void."""

    def choose(census: Census) -> Sequence[Plan]:
        census.gather((stays, *leaving))
        group = census.people[stays].group
        if any(census.people[name].group is not group for name in leaving):
            raise RefusedError("One of the identities is not that customer's.")
        staying = [census.people[name].node for name in group.people - set(leaving)]
        if not staying:
            raise RefusedError("Nobody would stay: name fewer identities than the customer has.")
        first = min(staying, key=lambda node: seniority(node, census.rules))
        identities = first.id, *sorted(set(leaving))
        return (Plan(Kind.SPLIT, identities, None, identities),)

    return choose


def block(name: str, *, blocked: bool) -> Choice:
    """Let an identity stand for nobody, or for somebody again."""

    def choose(census: Census) -> Sequence[Plan]:
        if census.people[name].node.blocked is blocked:
            raise RefusedError(f"It is {'blocked' if blocked else 'not blocked'} already.")
        return (Plan(Kind.BLOCK if blocked else Kind.UNBLOCK, (name,)),)

    return choose


def _inside(census: Census, group: Group) -> list[Link]:
    people = group.people
    return [link for link in census.links.values() if link.a in people and link.b in people]


def _by_hand(link: Link) -> bool:
    return link.word is not None and link.word.verdict is Verdict.TOGETHER


def _apart(link: Link) -> bool:
    return link.word is not None and link.word.verdict is Verdict.APART


def _said_at(link: Link) -> object:
    return None if link.word is None else link.word.mark


def _undo(link: Link, parted: tuple[str, ...]) -> Plan:
    return Plan(Kind.UNMERGE, link.pair, None if link.word is None else link.word.mark.message_id, parted)
